import fc from 'fast-check'
import { expect, test } from 'vitest'
import { startAgreement, stepAgreement, type Agreement, type Joined } from '../../../primary/commit-log/agreement.ts'

const ALL = ['fra', 'sin']

function after(events: readonly Joined[], replicas: readonly string[] = ALL): boolean {
  let state: Agreement = startAgreement(replicas, false)
  for (const event of events) state = stepAgreement(state, event, replicas)
  return state.confirmed
}

const there = (witness: string): Joined => ({ witness, atHead: true })
const behind = (witness: string): Joined => ({ witness, atHead: false })

test('writes open at once if no replica is configured, or the operator set `alone`', () => {
  expect(startAgreement([], false).confirmed).toBe(true)
  expect(startAgreement(ALL, true).confirmed).toBe(true)
  expect(startAgreement(ALL, false).confirmed).toBe(false)
})

test('one replica that stands where this boot started opens writes', () => {
  expect(after([there('fra')])).toBe(true)
})

test('a replica that is behind proves nothing while another was not heard, no matter how often', () => {
  expect(after([behind('fra')])).toBe(false)
  expect(after([behind('fra'), behind('fra'), behind('fra')])).toBe(false)
})

test('a replica that was behind is no witness when it returns with state from this boot', () => {
  expect(after([behind('fra'), there('fra')])).toBe(false)
  expect(after([behind('fra'), there('sin')])).toBe(true)
})

test('when every replica has come and none contradicted, writes open', () => {
  expect(after([behind('fra'), behind('sin')])).toBe(true)
  expect(after([behind('fra')], ['fra'])).toBe(true)
})

test('once open, writes stay open, whichever replica connects', () => {
  expect(after([there('fra'), behind('sin'), behind('fra')])).toBe(true)
})

test('writes never open while a replica was not heard and no other stood at the start', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('fra', 'ams'), { maxLength: 20 }), (names) => {
      expect(after(names.map(behind), ['fra', 'ams', 'sin'])).toBe(false)
    }),
  )
})
