/** Nothing that a network does to a connection leaves anything but a whole copy behind. */
import { rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Signer } from '../../../primary/signer/sdk.ts'
import { Cluster, closedFile, until } from './harness.ts'

const SMALL_WAL = { checkpoint: { pages: 100 } }

async function mintMany(signer: Signer, count: number): Promise<void> {
  for (let left = count; left > 0; left -= 100) {
    const group = Array.from({ length: Math.min(left, 100) }, () =>
      signer.mint({ org: 'acme', subject: randomText(200) }),
    )
    await Promise.all(group)
  }
}

/** Text that does not compress: the bytes on the wire are then as many as they seem. */
let seed = 1
function randomText(chars: number): string {
  let text = ''
  while (text.length < chars) {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    text += seed.toString(36)
  }
  return text.slice(0, chars)
}

function randomBelow(limit: number): number {
  seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
  return seed % limit
}

async function expectIdentical(cluster: Cluster): Promise<void> {
  await cluster.caughtUp()
  await cluster.stop()
  expect(closedFile(cluster.replicaFolder()).equals(closedFile(cluster.primaryFolder))).toBe(true)
}

test('a snapshot whose connection is cut at random bytes arrives whole in the end', async () => {
  const cluster = await Cluster.start({ replica: SMALL_WAL })
  const signer = await cluster.signer('operator', 20_000)
  await signer.createOrg('acme')
  await cluster.stopReplica()
  await mintMany(signer, 1500)
  rmSync(cluster.replicaFolder(), { recursive: true })
  const proxy = await cluster.proxy()
  proxy.cut = { afterBytes: () => 1 + randomBelow(200_000) }
  await cluster.startReplica()
  await until(() => proxy.cuts >= 8, 'connections were cut')
  proxy.cut = undefined
  await expectIdentical(cluster)
})

test('segments whose connection is cut at random bytes are applied once each, in order, whole', async () => {
  const cluster = await Cluster.start({ replica: SMALL_WAL })
  const signer = await cluster.signer('operator', 20_000)
  await signer.createOrg('acme')
  await cluster.stopReplica()
  await mintMany(signer, 2000)
  const proxy = await cluster.proxy()
  proxy.cut = { afterBytes: () => 1 + randomBelow(60_000) }
  await cluster.startReplica()
  await until(() => proxy.cuts >= 8, 'connections were cut')
  proxy.cut = undefined
  await expectIdentical(cluster)
})

test('writes go on through restarts of both nodes and cut connections, and end the same', async () => {
  const cluster = await Cluster.start({ primary: SMALL_WAL, replica: SMALL_WAL })
  const first = await cluster.signer('operator', 20_000)
  await first.createOrg('acme')
  const proxy = await cluster.proxy()
  for (let round = 0; round < 3; round += 1) {
    const signer = await cluster.signer('operator', 20_000)
    const writing = mintMany(signer, 300)
    proxy.cutAll()
    await cluster.stopReplica()
    await writing
    await cluster.stopPrimary()
    await cluster.startReplica()
    await cluster.startPrimary()
    await until(() => cluster.primary.writes === 'open', 'the replica confirms the restarted primary')
  }
  await mintMany(await cluster.signer(), 100)
  await expectIdentical(cluster)
})
