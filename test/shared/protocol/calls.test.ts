import { orgName } from '../../../shared/id-schemas.ts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TTL_SECONDS_MAX } from '../../../shared/limits.ts'
import { params } from '../../../shared/protocol/params.ts'
import {
  disableOrgParams,
  findRevocationsParams,
  retireKeyParams,
  revocationsParams,
  revokeIssuedParams,
  revokeTokenParams,
} from '../../../shared/protocol/revoke.ts'
import { auditListParams } from '../../../shared/protocol/audit.ts'
import { listTokensParams, madeFromParams, showTokenParams } from '../../../shared/protocol/tokens.ts'
import { mintParams, orgCreateParams, rotateKekParams, rotateKeyParams } from '../../../shared/protocol/sign.ts'
import { verifyParams } from '../../../shared/protocol/verify.ts'

const MINT = { org: 'acme', subject: 'x', caveats: [], ttlSeconds: 1 }
const REVOKE = { id: 'x', reason: '', wait: 'local' }

function accepts(schema: Parameters<typeof params>[0], value: unknown): boolean {
  try {
    params(schema, value)
    return true
  } catch (error) {
    expect(error).toMatchObject({ code: 'request_invalid' })
    return false
  }
}

test('calls take their parameters and no others', () => {
  expect(accepts(mintParams, MINT)).toBe(true)
  expect(accepts(mintParams, { ...MINT, kid: '1' })).toBe(false)
  expect(accepts(revokeTokenParams, REVOKE)).toBe(true)
  expect(accepts(revokeTokenParams, { ...REVOKE, org: 'acme' })).toBe(false)
  expect(accepts(orgCreateParams, { name: 'acme', secret: 'x' })).toBe(false)
  expect(accepts(verifyParams, { token: '', access: null })).toBe(true)
  expect(accepts(verifyParams, { token: '', access: {}, region: 'fra' })).toBe(false)
})

test('a revocation names a token or an id, never both and never none', () => {
  const { id: _, ...nothing } = REVOKE
  expect(accepts(revokeTokenParams, nothing)).toBe(false)
  expect(accepts(revokeTokenParams, { ...REVOKE, token: 'x' })).toBe(false)
  expect(accepts(revokeTokenParams, { ...nothing, token: 'x' })).toBe(true)
  for (const wait of ['local', 'durable', 'global']) expect(accepts(revokeTokenParams, { ...REVOKE, wait })).toBe(true)
  expect(accepts(revokeTokenParams, { ...REVOKE, wait: 'everywhere' })).toBe(false)
})

test('a request id is printable, without spaces, and short', () => {
  for (const requestId of ['1', 'a'.repeat(64), '6f1c:retry/2'])
    expect(accepts(revokeTokenParams, { ...REVOKE, requestId })).toBe(true)
  for (const requestId of ['', 'a'.repeat(65), 'a b', 'ä', 'a\n', 1])
    expect(accepts(revokeTokenParams, { ...REVOKE, requestId })).toBe(false)
})

test('a request to show names exactly one thing, and a subject only with its org', () => {
  for (const query of [{ seq: 1 }, { id: 'x' }, { token: 'x' }, { org: 'acme' }, { org: 'acme', subject: 'x' }])
    expect(accepts(findRevocationsParams, query)).toBe(true)
  for (const query of [{}, { seq: 1, id: 'x' }, { subject: 'x' }, { id: 'x', subject: 'x' }, { seq: 0 }])
    expect(accepts(findRevocationsParams, query)).toBe(false)
})

test('numbers and lists stay inside their limits', () => {
  for (const ttlSeconds of [-1, 0.5, TTL_SECONDS_MAX + 1, '1', Number.NaN])
    expect(accepts(mintParams, { ...MINT, ttlSeconds })).toBe(false)
  for (const caveats of [[''], Array(101).fill('a'), ['x'.repeat(4097)], 'a', [1]])
    expect(accepts(mintParams, { ...MINT, caveats })).toBe(false)
  for (const limit of [0, 1001, 0.5]) expect(accepts(revocationsParams, { after: 0, limit })).toBe(false)
  for (const after of [-1, 0.5]) expect(accepts(revocationsParams, { after, limit: 1 })).toBe(false)
  for (const limit of [0, 1001, 0.5]) {
    expect(accepts(listTokensParams, { org: 'acme', after: '', limit })).toBe(false)
    expect(accepts(madeFromParams, { id: 'x', after: '', limit })).toBe(false)
  }
  for (const after of ['', '0'.repeat(32)]) expect(accepts(madeFromParams, { id: 'x', after, limit: 1 })).toBe(true)
  for (const after of [0, '0', 'F'.repeat(32), '0'.repeat(33)])
    expect(accepts(listTokensParams, { org: 'acme', after, limit: 1 })).toBe(false)
  for (const after of [-1, 0.5]) expect(accepts(auditListParams, { after })).toBe(false)
  for (const asked of [
    { actor: '' },
    { actor: 'a'.repeat(321) },
    { kind: 'k'.repeat(65) },
    { sinceMs: -1 },
    { org: '*' },
  ])
    expect(accepts(auditListParams, { after: 0, ...asked })).toBe(false)
  expect(accepts(mintParams, { ...MINT, subject: '' })).toBe(false)
})

test('names of orgs have one spelling', () => {
  for (const name of ['acme', 'a', '0', 'a.b_c-d', 'a'.repeat(64)]) expect(orgName.safeParse(name).success).toBe(true)
  for (const name of ['', 'Acme', '-a', '.a', 'a b', 'a\n', 'ä', '*', 'a'.repeat(65)]) {
    expect(orgName.safeParse(name).success).toBe(false)
  }
})

test('no parameters of any form give anything but a value or request_invalid', () => {
  const schemas = [
    mintParams,
    revokeTokenParams,
    revokeIssuedParams,
    retireKeyParams,
    disableOrgParams,
    rotateKeyParams,
    rotateKekParams,
    orgCreateParams,
    revocationsParams,
    findRevocationsParams,
    listTokensParams,
    showTokenParams,
    madeFromParams,
    auditListParams,
    verifyParams,
  ]
  fc.assert(
    fc.property(fc.constantFrom(...schemas), fc.anything(), (schema, value) => {
      expect(typeof accepts(schema as Parameters<typeof params>[0], value)).toBe('boolean')
    }),
  )
})
