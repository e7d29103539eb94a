/** Outlived revocations leave the log, the copies and the memory, and a replica that was away misses nothing. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Signer } from '../../../primary/signer/sdk.ts'
import { KeyReader } from '../../../shared/database/keys.ts'
import { encodeIdentifier } from '../../../shared/macaroon/identifier.ts'
import { createMacaroon } from '../../../shared/macaroon/attenuate.ts'
import { nextNonce, NONCE_RANDOM_BYTES, resumeNonces } from '../../../shared/macaroon/nonce.ts'
import { encodeTokenText } from '../../../shared/macaroon/text.ts'
import { openReader } from '../../../shared/sqlite/open-database.ts'
import { ACCESS, known, Worker } from '../worker/fixture.ts'
import { Cluster, CLUSTER, closedFile, KEK, until } from './harness.ts'

const EVERY_SECOND = '* * * * * *'
const LONG_AGO_SECONDS = 1_500_000_000

/** Tokens that this authority could have minted years ago: their revocations hit nothing. */
function ofLongAgo(cluster: Cluster, count: number): string[] {
  const reader = openReader(join(cluster.primaryFolder, 'macaroond.db'))
  const [key] = new KeyReader(reader).read([KEK], CLUSTER).keys
  reader.close()
  if (key === undefined) throw new Error('there is no org yet')
  const { kid, derivedKey } = key
  return Array.from({ length: count }, (_, index) => {
    const { nonce } = nextNonce(
      resumeNonces(0),
      (LONG_AGO_SECONDS - 60) * 1000,
      Buffer.alloc(NONCE_RANDOM_BYTES, index),
    )
    const named = { kid, nonce, expiresAt: LONG_AGO_SECONDS, ancestors: [], subject: 'somebody' }
    return encodeTokenText(createMacaroon({ derivedKey, location: CLUSTER, identifier: encodeIdentifier(named) }))
  })
}

async function numbersOf(signer: Signer): Promise<number[]> {
  return (await signer.listRevocations()).revocations.map(({ seq }) => seq)
}

async function accepts(worker: Worker, token: string): Promise<boolean> {
  return (await worker.verifier.verify(token, ACCESS)).ok
}

async function revokeAll(signer: Signer, tokens: readonly string[]): Promise<void> {
  for (const token of tokens) await signer.revoke({ token })
}

test('a replica absent during a purge knows all that still counts, and has the primary’s bytes', async () => {
  const regions = ['fra', 'sin'] as const
  const primary = { maintenance: { scrub: '17 3 * * *', purge: EVERY_SECOND } }
  const cluster = await Cluster.start({
    regions,
    primary,
    replica: { maintenance: { scrub: '17 3 * * *', sweep: EVERY_SECOND } },
  })
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  const old = ofLongAgo(cluster, 5)
  const [away, fed] = [await Worker.start(cluster, {}, ['fra']), await Worker.start(cluster, {}, ['sin'])]
  const live = await known(signer, away, fed)
  const other = await known(signer, away, fed)
  const proxy = await cluster.proxy('fra')
  proxy.down = true
  proxy.cutAll()

  await revokeAll(signer, old.slice(0, 3))
  const { seq } = await signer.revoke({ token: live.token })
  await revokeAll(signer, old.slice(3))
  await until(async () => (await numbersOf(signer)).join() === String(seq), 'the others are purged')
  expect([await fed.say(live.token), await accepts(fed, other.token)]).toEqual(['revoked', true])

  proxy.down = false
  await cluster.caughtUp('fra')
  await until(
    async () => (await cluster.replicaStatus('fra')).revocationSeq === 6,
    'the number of the last one is known',
  )
  await away.leased()
  expect([await away.say(live.token), await accepts(away, other.token)]).toEqual(['revoked', true])
  // Neither cache was dropped because of numbers that nobody has any more.
  for (const worker of [away, fed]) expect(worker.verifier.statistics().drops.gap).toBe(0)
  for (const region of regions) {
    const one = async (): Promise<boolean> => (await cluster.replicaStatus(region)).revocations === 1
    await until(one, 'memory holds what still counts')
  }
  // Its hello says that it has all six: nothing of the log is missing to anybody.
  const last = await signer.revoke({ token: other.token, wait: 'global' })
  expect(last).toMatchObject({ seq: 7, replicas: [{ how: 'acknowledged' }, { how: 'acknowledged' }] })
  expect([await away.say(other.token), await fed.say(other.token)]).toEqual(['revoked', 'revoked'])

  for (const region of regions) await cluster.caughtUp(region)
  await cluster.stop()
  for (const region of regions) {
    expect(existsSync(join(cluster.replicaFolder(region), 'revocations.table'))).toBe(true)
    expect(closedFile(cluster.replicaFolder(region)).equals(closedFile(cluster.primaryFolder))).toBe(true)
  }
})

test('after a restart of everything the numbers go on, and what was purged is not there again', async () => {
  const primary = { maintenance: { scrub: '17 3 * * *', purge: EVERY_SECOND } }
  const replica = { maintenance: { scrub: '17 3 * * *', sweep: EVERY_SECOND } }
  const cluster = await Cluster.start({ primary, replica })
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  await revokeAll(signer, ofLongAgo(cluster, 3))
  await until(async () => (await numbersOf(signer)).length === 0, 'all are purged')
  await cluster.caughtUp()
  await cluster.stopReplica()
  await cluster.stopPrimary()
  await cluster.startPrimary()
  await cluster.startReplica()
  await until(() => cluster.primary.writes === 'open', 'writes are open')
  await cluster.caughtUp()
  expect(await cluster.replicaStatus()).toMatchObject({ revocationSeq: 3 })
  // The journal may have been ahead of the pages when the replica stopped; then a sweep takes what it brought.
  await until(async () => (await cluster.replicaStatus()).revocations === 0, 'memory is empty')
  const again = await cluster.signer()
  const { token } = await again.mint({ org: 'acme', subject: 'somebody' })
  expect(await again.revoke({ token })).toMatchObject({ seq: 4 })
  expect(await numbersOf(again)).toEqual([4])
})
