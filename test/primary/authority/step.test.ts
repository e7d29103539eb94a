import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Command, Minted, OrgCreated } from '../../../primary/authority/commands.ts'
import type { Row } from '../../../primary/authority/rows.ts'
import { deriveMacaroonKey } from '../../../shared/crypto.ts'
import { kid, nonce, parseTokenId } from '../../../shared/ids.ts'
import { nonceTimeMs } from '../../../shared/macaroon/nonce.ts'
import { verifyMacaroon } from '../../../shared/macaroon/signature.ts'
import { decodeTokenText } from '../../../shared/macaroon/text.ts'
import { decodeIdentifier } from '../../../shared/macaroon/identifier.ts'
import { unseal } from '../../../shared/sealing.ts'
import { ACTOR, Authority, imageOf, KEK, NOW_MS } from './fixture.ts'
import { codeOf } from '../../shared/code-of.ts'

function row<T extends Row['table']>(rows: readonly Row[], table: T): Extract<Row, { table: T }>['row'] {
  const found = rows.find((candidate) => candidate.table === table)
  if (found === undefined) throw new Error(`no row of ${table}`)
  return found.row as never
}

test('an org gets a sealed root key at once, and the unsealed one mints', () => {
  const authority = new Authority()
  const { answer, rows } = authority.createOrg('acme')
  const created = answer as OrgCreated
  const { sealedSecret } = row(rows, 'root_keys')
  const secret = unseal([KEK], { cluster: 'test', org: 'acme', kid: created.kid }, sealedSecret)
  const key = authority.state.keys.get(created.kid)
  expect(deriveMacaroonKey(secret)).toEqual(key?.derivedKey)
  const { token } = authority.mint().answer as Minted
  expect(verifyMacaroon(decodeTokenText(token), key?.derivedKey ?? new Uint8Array(32))).toBeDefined()
  expect(authority.state.keyGeneration).toBe(1)
})

test('nothing that is written holds an unsealed key or a token', () => {
  const authority = new Authority()
  const { kid: created } = authority.createOrg('acme').answer as OrgCreated
  const { token } = authority.mint({ caveats: ['op = read'] }).answer as Minted
  const written = JSON.stringify(authority.rows, (_, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
  )
  const { signature } = decodeTokenText(token)
  const key = Buffer.from(authority.state.keys.get(created)?.derivedKey ?? [])
  for (const secret of [key.toString('hex'), token, Buffer.from(signature).toString('hex')]) {
    expect(written).not.toContain(secret)
  }
})

test('a mint answers with what the token says of itself, and records it', () => {
  const authority = new Authority()
  authority.createOrg('acme')
  const { answer, rows } = authority.mint({
    subject: 'ümläut',
    ttlSeconds: 90,
    caveats: ['op = read', 'time < 1900000000'],
  })
  const minted = answer as Minted
  const macaroon = decodeTokenText(minted.token)
  const identifier = decodeIdentifier(macaroon.identifier)
  expect(parseTokenId(minted.id)).toEqual({ kid: identifier.kid, nonce: identifier.nonce })
  expect(identifier).toMatchObject({ subject: 'ümläut', expiresAt: minted.expiresAt, ancestors: [] })
  expect(minted.expiresAt).toBe(NOW_MS / 1000 + 90)
  expect(nonceTimeMs(identifier.nonce)).toBe(minted.issuedAtMs)
  expect(row(rows, 'issued')).toMatchObject({ nonce: identifier.nonce, expiresAt: minted.expiresAt })
  expect(macaroon.caveats).toHaveLength(2)
})

test('a token without time to live never expires', () => {
  const authority = new Authority()
  authority.createOrg('acme')
  expect(authority.mint({ ttlSeconds: 0 }).answer).toMatchObject({ expiresAt: 0 })
})

test('a clock that goes back never makes a token look older, and no two share a nonce', () => {
  const clock = fc.array(fc.integer({ min: -5_000_000, max: 5_000_000 }), { minLength: 2, maxLength: 60 })
  fc.assert(
    fc.property(clock, (moves) => {
      const authority = new Authority()
      authority.createOrg('acme')
      const nonces = moves.map((move) => {
        authority.nowMs = NOW_MS + move
        const { id, issuedAtMs, expiresAt } = authority.mint().answer as Minted
        // By the earlier clock: one that had jumped ahead must not lengthen what is minted after it was put right.
        const startsMs = Math.min(issuedAtMs, authority.nowMs)
        expect(expiresAt).toBe(Math.ceil(startsMs / 1000) + 60)
        return parseTokenId(id).nonce
      })
      expect(nonces).toEqual([...new Set(nonces)].toSorted())
      const times = nonces.map((one) => nonceTimeMs(one))
      expect(times).toEqual(times.toSorted((a, b) => a - b))
    }),
    { numRuns: 50 },
  )
})

test('a revocation belongs to the org of its key and takes the next number', () => {
  const authority = new Authority()
  authority.createOrg('acme')
  const { id } = authority.mint().answer as Minted
  const named = parseTokenId(id)
  const command = {
    kind: 'token.revoke',
    actor: ACTOR,
    ...named,
    expiresAt: 5,
    recorded: true,
    reason: 'lost',
  } as const
  const answer = { kind: 'token', id, org: 'acme', seq: 1, already: false, matched: 'recorded' }
  expect(authority.do(command).answer).toEqual(answer)
  expect(row(authority.rows, 'revocations')).toMatchObject({
    revocation: { seq: 1, kind: 'token', ...named, expiresAt: 5 },
    org: 'acme',
    reason: 'lost',
  })
})

const REFUSED: readonly (readonly [string, Partial<Command> & { kind: Command['kind'] }, string])[] = [
  ['an org that exists', { kind: 'org.create', name: 'acme' }, 'org_exists'],
  ['a token of an org that does not exist', { kind: 'token.mint', org: 'nobody' }, 'org_unknown'],
  ['a subject that is too long in bytes', { kind: 'token.mint', subject: 'ü'.repeat(128) }, 'request_invalid'],
  ['more caveats than a token holds', { kind: 'token.mint', caveats: Array(101).fill('op = read') }, 'request_invalid'],
  [
    'caveats that are larger than a token',
    { kind: 'token.mint', caveats: Array(8).fill(`note = ${'x'.repeat(4000)}`) },
    'token_too_large',
  ],
  [
    'caveats of too many bytes, of which none is looked at',
    { kind: 'token.mint', caveats: Array(100).fill('x'.repeat(2_000)) },
    'token_too_large',
  ],
  ['a caveat that nothing could clear', { kind: 'token.mint', caveats: ['nonsense'] }, 'caveat_malformed'],
  ['a time in milliseconds', { kind: 'token.mint', caveats: ['time < 1800000000000'] }, 'caveat_malformed'],
  ['a negative time to live', { kind: 'token.mint', ttlSeconds: -1 }, 'request_invalid'],
  ['a broken time to live', { kind: 'token.mint', ttlSeconds: 0.5 }, 'request_invalid'],
  ['a time to live without end', { kind: 'token.mint', ttlSeconds: Number.MAX_SAFE_INTEGER }, 'request_invalid'],
  ['a revocation under no key of ours', { kind: 'token.revoke', kid: kid('0'.repeat(16)) }, 'key_unknown'],
]

for (const [what, partial, code] of REFUSED) {
  test(`${what} is refused with ${code} and changes nothing`, () => {
    const authority = new Authority()
    authority.createOrg('acme')
    const before = imageOf(authority.state)
    const defaults = {
      actor: ACTOR,
      org: 'acme',
      subject: 'x',
      caveats: [],
      ttlSeconds: 60,
      expiresAt: 0,
      recorded: false,
    }
    const command = { ...defaults, nonce: nonce('0'.repeat(32)), reason: '', ...partial } as Command
    expect(codeOf(() => authority.do(command))).toBe(code)
    expect(imageOf(authority.state)).toBe(before)
  })
}

test('a disabled org mints no more', () => {
  const authority = new Authority()
  authority.createOrg('acme')
  const org = authority.state.orgs.get('acme')
  if (org !== undefined) authority.state.orgs.set('acme', { ...org, state: 'disabled' })
  expect(codeOf(() => authority.mint())).toBe('org_disabled')
})
