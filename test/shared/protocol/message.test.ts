import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { z } from 'zod'
import { CONTROL_MESSAGE_BYTES_MAX } from '../../../shared/limits.ts'
import { decodeMessage, encodeMessage, isControl } from '../../../shared/protocol/message.ts'
import { fromStream, toStream } from '../../../shared/protocol/revocations.ts'
import { REVOCATIONS_A_MESSAGE } from '../../../shared/protocol/stretch.ts'
import { fromReplica, toReplica } from '../../../shared/protocol/wal.ts'

const LINE = 'a'.repeat(32)
const ROW = { seq: 1, kind: 'token', kid: '1'.repeat(16), nonce: '2'.repeat(32), expiresAt: 0 }
const SIGNED = { position: '1.2.3', timeline: LINE, signature: 'A'.repeat(86) }
const GRANTED = {
  t: 'granted',
  id: 1,
  epoch: 1,
  timeline: LINE,
  seq: 0,
  txid: 1,
  leaseMs: 5_000,
  boot: 'b'.repeat(32),
  wallMs: 1,
  believedMs: 1,
  signed: SIGNED,
}

const GOOD: readonly (readonly [string, z.ZodType, object])[] = [
  ['resume', toReplica, { t: 'resume' }],
  ['snapshot', toReplica, { t: 'snapshot', position: '1.2.3', timeline: LINE, pages: 1 }],
  ['position', toReplica, { t: 'position', signed: SIGNED }],
  ['ack', fromReplica, { t: 'ack', position: '1.2.3' }],
  ['resync', fromReplica, { t: 'resync', reason: 'because' }],
  ['revoked', toStream, { t: 'revoked', after: 0, rows: [ROW], through: 1 }],
  ['granted', toStream, GRANTED],
  ['revoked ack', fromStream, { t: 'ack', seq: 0 }],
  ['covered', fromStream, { t: 'covered', seq: 0 }],
  ['ping', fromStream, { t: 'ping', id: 1, wallMs: 1.5 }],
]

for (const [name, schema, message] of GOOD) {
  test(`${name} reads back as it was written, and differs from bulk in its first byte`, () => {
    const frame = encodeMessage(message)
    expect(isControl(frame)).toBe(true)
    expect(decodeMessage(frame, schema)).toEqual(message)
  })

  test(`${name} with any field missing or of another kind is a violation`, () => {
    for (const key of Object.keys(message)) {
      const without = Object.fromEntries(Object.entries(message).filter(([name_]) => name_ !== key))
      for (const broken of [
        without,
        { ...message, [key]: { x: 1 } },
        { ...message, [key]: null },
        { ...message, [key]: -1 },
      ]) {
        expect(() => decodeMessage(encodeMessage(broken), schema)).toThrow(
          expect.objectContaining({ code: 'protocol_violation' }),
        )
      }
    }
  })
}

test('any bytes are a message of the protocol or a violation, on every channel', () => {
  const frame = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.jsonValue({ maxDepth: 4 }).map((value) => Buffer.from(JSON.stringify(value))),
    fc.string().map((text) => Buffer.from(`{"t":${JSON.stringify(text)}}`)),
  )
  fc.assert(
    fc.property(frame, fc.constantFrom(toReplica, fromReplica, toStream, fromStream), (bytes, schema) => {
      try {
        expect(decodeMessage(bytes, schema as z.ZodType)).toHaveProperty('t')
      } catch (error) {
        expect(error).toMatchObject({ code: 'protocol_violation' })
        expect(String(error).length).toBeLessThan(1000)
      }
    }),
  )
})

test('a message beyond the limit is not even parsed', () => {
  const frame = Buffer.concat([Buffer.from('{"t":"resume"}'), Buffer.alloc(CONTROL_MESSAGE_BYTES_MAX, 0x20)])
  expect(() => decodeMessage(frame, toReplica)).toThrow('bytes')
})

test('revocations are bounded in number, and the longest fit into a message', () => {
  const revoked = { t: 'revoked', after: 0, through: 2 ** 53 - 1 }
  const rows = Array.from({ length: REVOCATIONS_A_MESSAGE + 1 }, () => ROW)
  expect(toStream.safeParse({ ...revoked, rows }).success).toBe(false)
  expect(toStream.safeParse({ ...revoked, rows: rows.slice(1) }).success).toBe(true)
  // All of it was purged.
  expect(toStream.safeParse({ ...revoked, rows: [] }).success).toBe(true)
  const longest = { kind: 'subject', org: 'a'.repeat(64), subject: '\u0001'.repeat(255), untilMs: 2 ** 53 - 1 }
  const large = rows.slice(1).map(() => ({ seq: 2 ** 53 - 1, ...longest, expiresAt: 2 ** 53 - 1 }))
  expect(toStream.safeParse({ ...revoked, rows: large }).success).toBe(true)
  expect(encodeMessage({ ...revoked, rows: large }).length).toBeLessThan(CONTROL_MESSAGE_BYTES_MAX)
})

test('a row of a later version nests no deeper than any message, and is UTF-8', () => {
  const row = (value: string): Buffer =>
    Buffer.from(`{"t":"revoked","after":0,"rows":[{"seq":1,"kind":"region","x":${value}}],"through":1}`, 'latin1')
  expect(decodeMessage(row('[[1]]'), toStream)).toMatchObject({ through: 1 })
  const violation: unknown = expect.objectContaining({ code: 'protocol_violation' })
  expect(() => decodeMessage(row('['.repeat(200_000) + ']'.repeat(200_000)), toStream)).toThrow(violation)
  expect(() => decodeMessage(row('"\xff"'), toStream)).toThrow(violation)
})
