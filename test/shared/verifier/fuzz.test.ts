import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeBase64Url } from '../../../shared/macaroon/base64url.ts'
import { encodeTokenText } from '../../../shared/macaroon/text.ts'
import { damagedEncodings } from '../macaroon/arbitraries.ts'
import { mint, Node, outcome } from './fixture.ts'

const node = new Node()
const REASON = /^[a-z0-9_]+$/

test('no text makes the verifier throw, and no damaged token is accepted', () => {
  const tokens = fc.oneof(
    fc.string({ unit: 'binary' }),
    damagedEncodings.map(encodeBase64Url),
    fc.tuple(fc.nat(), fc.string({ maxLength: 3 })).map(([at, noise]) => {
      const text = encodeTokenText(mint(['op = read']))
      return text.slice(0, at % text.length) + noise
    }),
    fc.anything(),
  )
  fc.assert(
    fc.property(tokens, (token) => {
      const reason = outcome(node.judgeAnything(token, { org: 'acme', op: 'read' }))
      expect(reason).toMatch(REASON)
      expect(reason).not.toBe('ok')
    }),
    { numRuns: 3_000 },
  )
})

test('no access makes the verifier throw', () => {
  const values = fc.oneof(fc.string({ unit: 'binary' }), fc.array(fc.string()), fc.anything())
  const keys = fc.oneof(
    fc.constantFrom('org', 'op', 'path', 'ip', 'chunk', 'time', '__proto__', 'constructor'),
    fc.string(),
  )
  const accesses = fc.oneof(
    fc.anything(),
    fc.dictionary(keys, values).map((rest) => ({ org: 'acme', ...rest })),
  )
  const token = mint(['op? = read', 'path? prefix /a/', 'ip? in 10.0.0.0/8', 'chunk? in 1..5'])
  fc.assert(
    fc.property(accesses, (access) => {
      expect(outcome(node.judgeAnything(encodeTokenText(token), access))).toMatch(REASON)
    }),
    { numRuns: 3_000 },
  )
})

test('no caveat makes the verifier throw, whatever its bytes', () => {
  const caveats = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.string({ unit: 'binary', maxLength: 30 }).map((s) => s.toWellFormed()),
  )
  fc.assert(
    fc.property(fc.array(caveats, { maxLength: 4 }), (list) => {
      expect(outcome(node.judge(mint(list), { org: 'acme' }))).toMatch(REASON)
    }),
    { numRuns: 2_000 },
  )
})
