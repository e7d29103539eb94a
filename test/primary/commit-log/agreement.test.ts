import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  startAgreement,
  stepAgreement,
  type Agreement,
  type AgreementEvent,
} from '../../../primary/commit-log/agreement.ts'

const ALL = ['fra', 'sin']

function after(events: readonly AgreementEvent[], replicas: readonly string[] = ALL): boolean {
  let state: Agreement = startAgreement(replicas, false)
  for (const event of events) state = stepAgreement(state, event, replicas)
  return state.confirmed
}

const joined = (replica: string, standing: 'agrees' | 'empty' | 'unknown'): AgreementEvent => ({
  kind: 'joined',
  replica,
  standing,
})
const acknowledged = (replica: string): AgreementEvent => ({ kind: 'acknowledged', replica })

test('writes are open at once where nobody could object, or the operator said alone', () => {
  expect(startAgreement([], false).confirmed).toBe(true)
  expect(startAgreement(ALL, true).confirmed).toBe(true)
  expect(startAgreement(ALL, false).confirmed).toBe(false)
})

test('one replica that stands in our history opens writes', () => {
  expect(after([joined('fra', 'agrees')])).toBe(true)
})

test('one whose point the log no longer knows opens them once it has applied what is ours', () => {
  expect(after([joined('fra', 'unknown')])).toBe(false)
  expect(after([joined('fra', 'unknown'), acknowledged('fra')])).toBe(true)
})

test('an empty replica vouches for nothing while another one may know more', () => {
  expect(after([joined('fra', 'empty'), acknowledged('fra')])).toBe(false)
  expect(after([joined('fra', 'empty'), acknowledged('fra'), joined('fra', 'agrees'), acknowledged('fra')])).toBe(false)
})

test('empty replicas count when every configured one is empty', () => {
  expect(after([joined('fra', 'empty'), acknowledged('fra'), joined('sin', 'empty'), acknowledged('sin')])).toBe(true)
  expect(after([joined('fra', 'empty')], ['fra'])).toBe(false)
  expect(after([joined('fra', 'empty'), acknowledged('fra')], ['fra'])).toBe(true)
})

test('once open, writes stay open whoever comes', () => {
  expect(after([joined('fra', 'agrees'), joined('sin', 'empty'), joined('fra', 'unknown')])).toBe(true)
})

test('whatever happens, writes never open on the word of replicas that came empty while another did not', () => {
  const event = fc.oneof(
    fc
      .record({ replica: fc.constant('fra'), standing: fc.constantFrom('agrees', 'empty', 'unknown') })
      .map(({ standing }): AgreementEvent => joined('fra', standing as 'agrees')),
    fc.constant(acknowledged('fra')),
  )
  fc.assert(
    fc.property(fc.array(event, { maxLength: 20 }), (events) => {
      expect(after([joined('fra', 'empty'), ...events])).toBe(false)
    }),
  )
})
