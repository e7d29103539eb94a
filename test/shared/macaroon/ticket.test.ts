import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { systemEntropy } from '../../../shared/clock.ts'
import { openWithPrivateKey, sealToPublicKey, x25519PublicKey } from '../../../shared/crypto.ts'
import { CAVEAT_BYTES_MAX, CONDITION_BYTES_MAX } from '../../../shared/limits.ts'
import { decodeIdentifier } from '../../../shared/macaroon/identifier.ts'
import { openTicket, sealTicket, type TicketKey, type TicketRecipient } from '../../../shared/macaroon/ticket.ts'

const key = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const KINDS: readonly (readonly [string, TicketRecipient, TicketKey, TicketKey])[] = [
  ['a shared key', { sharedKey: key(1) }, { sharedKey: key(1) }, { sharedKey: key(2) }],
  ['a public key', { publicKey: x25519PublicKey(key(1)) }, { privateKey: key(1) }, { privateKey: key(2) }],
]
const ticket = { caveatKey: key(9), condition: 'may read of acme' }
const codeOf = (call: () => unknown): string => {
  try {
    call()
    return 'opened'
  } catch (error) {
    return (error as { code?: string }).code ?? 'crashed'
  }
}

describe.each(KINDS)('a ticket sealed with %s', (_, recipient, opener, other) => {
  const sealed = sealTicket(ticket, recipient, systemEntropy)

  test('opens to what was put in, with its key among others', () => {
    expect(openTicket(sealed, [opener])).toEqual(ticket)
    expect(openTicket(sealed, [other, opener])).toEqual(ticket)
  })

  test('opens with no other key, and with no key of the other kind', () => {
    const swapped: TicketKey = 'sharedKey' in opener ? { privateKey: key(1) } : { sharedKey: key(1) }
    for (const keys of [[other], [swapped], [], [other, swapped]])
      expect(codeOf(() => openTicket(sealed, keys))).toBe('ticket_invalid')
  })

  test('does not open with any one bit changed, cut off anywhere, or with a byte more', () => {
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const changed = Uint8Array.from(sealed)
      changed[bit >> 3] = (sealed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect([bit, codeOf(() => openTicket(changed, [opener]))]).not.toEqual([bit, 'opened'])
    }
    for (let length = 0; length < sealed.length; length += 1)
      expect(codeOf(() => openTicket(sealed.subarray(0, length), [opener]))).toBe('ticket_invalid')
    expect(codeOf(() => openTicket(Uint8Array.from([...sealed, 0]), [opener]))).toBe('ticket_invalid')
  })

  test('is another one each time, and reveals nothing but its length', () => {
    const again = sealTicket(ticket, recipient, systemEntropy)
    expect(Buffer.from(again).equals(sealed)).toBe(false)
    expect(again).toHaveLength(sealed.length)
  })

  test('holds conditions up to the limit, and then fits into a caveat', () => {
    const longest = sealTicket({ ...ticket, condition: 'x'.repeat(CONDITION_BYTES_MAX) }, recipient, systemEntropy)
    expect(openTicket(longest, [opener]).condition).toHaveLength(CONDITION_BYTES_MAX)
    expect(longest.length).toBeLessThanOrEqual(CAVEAT_BYTES_MAX)
    for (const condition of ['', 'x'.repeat(CONDITION_BYTES_MAX + 1), '\ud800'])
      expect(codeOf(() => sealTicket({ ...ticket, condition }, recipient, systemEntropy))).toBe('caveat_malformed')
  })

  test('is never taken for the identifier of a token', () => {
    expect(codeOf(() => decodeIdentifier(sealed))).toBe('token_malformed')
  })
})

test('no bytes make the opener crash, and none that were not sealed open', () => {
  const keys = KINDS.map(([, , opener]) => opener)
  const framed = fc
    .tuple(fc.constantFrom('mct1s', 'mct1p', 'mct1x', 'mct2s', 'mct'), fc.uint8Array({ maxLength: 200 }))
    .map(([head, rest]) => Uint8Array.from([...Buffer.from(head), ...rest]))
  fc.assert(
    fc.property(fc.oneof(framed, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      expect(['ticket_invalid', 'token_unsupported']).toContain(codeOf(() => openTicket(bytes, keys)))
    }),
    { numRuns: 1_000 },
  )
})

test('a newer version is reported as such, and too large a ticket is not tried', () => {
  expect(codeOf(() => openTicket(Buffer.from('mct2s'), []))).toBe('token_unsupported')
  expect(codeOf(() => openTicket(new Uint8Array(CAVEAT_BYTES_MAX + 1), []))).toBe('ticket_invalid')
})

test('a holder of the public key cannot crash the third party with a sealed ticket', () => {
  const publicKey = x25519PublicKey(key(1))
  for (const plaintext of [new Uint8Array(), key(1), Buffer.concat([key(1), Buffer.from([0xff])])]) {
    const box = sealToPublicKey(publicKey, plaintext, systemEntropy) ?? Buffer.alloc(0)
    const made = Buffer.concat([Buffer.from('mct1p'), box])
    expect(codeOf(() => openTicket(made, [{ privateKey: key(1) }]))).toBe('ticket_invalid')
  }
})

describe('sealing to a public key', () => {
  test('agrees with the test vector of RFC 7748, section 6.1', () => {
    const secret = Buffer.from('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb', 'hex')
    const expected = 'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f'
    expect(x25519PublicKey(secret).toString('hex')).toBe(expected)
  })

  test('to a key of small order is refused, and so is a box that claims one', () => {
    const small = new Uint8Array(32)
    expect(sealToPublicKey(small, key(1), systemEntropy)).toBeUndefined()
    expect(openWithPrivateKey(key(1), new Uint8Array(100))).toBeUndefined()
    expect(codeOf(() => sealTicket(ticket, { publicKey: small }, systemEntropy))).toBe('key_malformed')
  })

  test('takes keys of 32 bytes only', () => {
    for (const bytes of [0, 31, 33]) {
      const short = new Uint8Array(bytes).fill(1)
      expect(codeOf(() => sealTicket(ticket, { publicKey: short }, systemEntropy))).toBe('key_malformed')
      expect(codeOf(() => sealTicket(ticket, { sharedKey: short }, systemEntropy))).toBe('key_malformed')
    }
  })
})
