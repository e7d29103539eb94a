/** V5: where `verify` is open to all, peers that no list names cannot take the replica away from the listed workers. */
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { RpcClient } from '../../../shared/channel/rpc-client.ts'
import type { MacaroondError } from '../../../shared/errors.ts'
import { checksum, epoch, txid } from '../../../shared/ids.ts'
import { GUEST_REQUESTS_IN_FLIGHT_MAX } from '../../../shared/limits.ts'
import { systemEntropy } from '../../../shared/clock.ts'
import { bindDischarges } from '../../../shared/macaroon/bind.ts'
import { encodeBundle } from '../../../shared/macaroon/bundle.ts'
import { decodeTokenText } from '../../../shared/macaroon/text.ts'
import { addThirdPartyCaveat, createDischarge } from '../../../shared/macaroon/third-party.ts'
import { positionText } from '../../../shared/position.ts'
import { Cluster } from './harness.ts'

const FLOOD = 5_000
const WORKER_PAUSE_MS = 20

/** With discharges that all have to be opened: clients and replica share a thread here, and judging has to be most of the work. */
function costly(minted: string): string {
  const parties = Array.from({ length: 40 }, (_, index) => ({
    caveatKey: systemEntropy.bytes(32),
    ticket: `ticket ${index}`,
    location: '',
  }))
  const root = parties.reduce(
    (token, party) => addThirdPartyCaveat(token, party, systemEntropy),
    decodeTokenText(minted),
  )
  return encodeBundle(
    bindDischarges(
      root,
      parties.map((party) => createDischarge(party)),
    ),
  )
}

test('a flood of strangers is turned away with a time to come back, a listed worker never', async () => {
  const cluster = await Cluster.start({ replica: { verify_open: true } })
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  const { token: minted, position } = await signer.mint({ org: 'acme', subject: 'x' })
  const token = costly(minted)
  const worker = new RpcClient(await cluster.dialReplica('worker', 'verify'))
  const params = { token, access: { org: 'acme' } }
  expect(await worker.call('verify', { ...params, minPosition: position })).toMatchObject({ ok: true })
  const stranger = new RpcClient(await cluster.dialReplica('stranger', 'verify'))
  const turnedAway: MacaroondError[] = []
  let asked = 0
  const flood = Promise.all(
    Array.from({ length: 60 }, async () => {
      while (turnedAway.length < 20 && asked < FLOOD) {
        asked += 1
        await stranger.call('verify', params).catch((error: MacaroondError) => turnedAway.push(error))
      }
    }),
  )
  let over = false
  void flood.then(() => (over = true))
  // A worker that asked all the time would take its turns, and strangers would not reach their share.
  while (!over) {
    expect(await worker.call('verify', params)).toMatchObject({ ok: true })
    await delay(WORKER_PAUSE_MS)
  }
  expect(turnedAway.length).toBeGreaterThan(0)
  expect(turnedAway.length).toBeLessThan(asked)
  for (const error of turnedAway) {
    expect(error).toMatchObject({ code: 'overloaded' })
    expect(error.retryAfterMs).toBeGreaterThan(0)
  }
})

test('a stranger has fewer calls in flight than a worker may have', async () => {
  const cluster = await Cluster.start({ replica: { verify_open: true } })
  const stranger = new RpcClient(await cluster.dialReplica('stranger', 'verify'))
  const later = positionText({ epoch: epoch(1), txid: txid(100_000), checksum: checksum(1n << 63n) })
  const waiting = { token: 'mcn1_AA', access: { org: 'acme' }, minPosition: later }
  const outcomes = await Promise.allSettled(Array.from({ length: 80 }, () => stranger.call('verify', waiting)))
  const answered = outcomes.filter(({ status }) => status === 'fulfilled').length
  expect(answered).toBeGreaterThan(0)
  expect(answered).toBeLessThanOrEqual(GUEST_REQUESTS_IN_FLIGHT_MAX)
})
