import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { adminCalls } from '../../replica/admin-calls.ts'
import { Allowance } from '../../shared/channel/allowance.ts'
import type { PeerIdText } from '../../shared/ids.ts'
import { SIGN_CALLS_IN_FLIGHT_MAX } from '../../shared/limits.ts'
import { REPLICA_CALLS } from '../../shared/protocol/calls.ts'
import { CALLS_PAGE, callsPage } from './calls-page.ts'

test('docs/calls.md says of every call what the code says; `npm run evidence` writes it', () => {
  expect(readFileSync(CALLS_PAGE, 'utf8')).toBe(callsPage())
})

test('the page has every call of a replica’s admin channel; the others are in types', () => {
  const never = (): never => {
    throw new Error('no call is made')
  }
  const allowance = new Allowance(SIGN_CALLS_IN_FLIGHT_MAX)
  const sources = { allowance, status: never, reload: never, known: never, signed: { newest: undefined } }
  const remotePeer = '12D3KooW' as PeerIdText
  const served = Object.keys(adminCalls({ hello: {}, remotePeer }, sources))
  expect(served.toSorted()).toEqual(Object.keys(REPLICA_CALLS.admin).toSorted())
})
