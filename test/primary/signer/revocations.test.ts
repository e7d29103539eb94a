/** The time of a cut-off has one name in the SDK and another in messages. */
import { expect, test } from 'vitest'
import { toWire, listFromWire, showRevocations, fromWire } from '../../../primary/signer/revocations.ts'

const ROW = { seq: 1, kind: 'org', org: 'acme', untilMs: 5, atMs: 6 } as const
const SHOWN = { seq: 1, kind: 'org', org: 'acme', issuedUpToMs: 5, atMs: 6 }
const TOKEN = { seq: 2, kind: 'token', org: 'acme', id: 'a.b', atMs: 6 } as const

test('a request is sent with the field of the message', () => {
  expect(toWire({ org: 'acme', issuedUpToMs: 5, reason: '' })).toStrictEqual({
    org: 'acme',
    untilMs: 5,
    reason: '',
  })
  expect(toWire({ org: 'acme' })).toStrictEqual({ org: 'acme' })
})

test('an answer is shown with the field of the SDK, in the order of the message', () => {
  expect(JSON.stringify(fromWire(ROW))).toBe(JSON.stringify(SHOWN))
  expect(fromWire(TOKEN)).toStrictEqual(TOKEN)
})

test('every revocation of a list is shown so', () => {
  expect(listFromWire({ revocations: [ROW, TOKEN], next: 2 })).toStrictEqual({ revocations: [SHOWN, TOKEN], next: 2 })
})

test('a revocation that is looked up is shown so, with its coverage', async () => {
  const coverage = { covered: true }
  const call = <T>(method: string): Promise<T> =>
    Promise.resolve((method === 'revocations.find' ? { revocations: [ROW], more: false, epoch: 1 } : coverage) as T)
  expect(await showRevocations(call, { seq: 1 })).toStrictEqual({ revocations: [{ ...SHOWN, coverage }], more: false })
})
