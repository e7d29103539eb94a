/** Disks that were put back to an older copy: the primary's must never lead again, a replica's just catches up. */
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import type { Signer } from '../../primary/signer/sdk.ts'
import type { MacaroondError } from '../../shared/errors.ts'
import { Cluster, type NodeFiles } from './cluster.ts'
import type { NodeProcess } from './node-process.ts'

const READY_MS = 20_000
const POLL_MS = 50
const POSITION_DIVERGED = 5

interface Running {
  readonly cluster: Cluster
  readonly replica: NodeFiles
  readonly signer: Signer
  readonly atPrimary: NodeProcess
  readonly atReplica: NodeProcess
}

async function startCluster(): Promise<Running> {
  const cluster = await Cluster.create({ replicas: ['fra'] })
  onTestFinished(() => cluster.remove(false))
  const [replica] = cluster.replicas
  if (replica === undefined) throw new Error('no replica')
  const atPrimary = await started(cluster, cluster.primary)
  const atReplica = await started(cluster, replica)
  await until('writes are open', async () => (await cluster.primaryStatus()).writes === 'open')
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  return { cluster, replica, signer, atPrimary, atReplica }
}

async function started(cluster: Cluster, node: NodeFiles): Promise<NodeProcess> {
  const process = cluster.start(node)
  if (await process.ready(READY_MS)) return process
  throw new Error(`${node.name} ended:\n${process.log.join('\n')}`)
}

async function until(what: string, met: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + READY_MS
  while (!(await met().catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`)
    await setTimeout(POLL_MS)
  }
}

async function write(signer: Signer, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) await signer.mint({ org: 'acme', subject: `s${index}` })
}

async function caughtUp({ cluster, replica }: Running): Promise<void> {
  await until('the replica has caught up', async () => {
    const [ours, theirs] = await Promise.all([cluster.primaryStatus(), cluster.replicaStatus(replica)])
    return ours.position === theirs.position
  })
}

async function stop(process: NodeProcess): Promise<void> {
  process.signal('SIGTERM')
  expect(await process.ended).toEqual({ code: 0, signal: null })
}

function putBack(node: NodeFiles, copy: string): void {
  rmSync(node.data, { recursive: true })
  cpSync(copy, node.data, { recursive: true })
}

/** A cluster whose primary stands still, its disk put back to before the last writes; the replica has seen those. */
async function rolledBack(): Promise<Running> {
  const running = await startCluster()
  const { cluster, signer } = running
  const copy = join(cluster.root, 'copy')
  await write(signer, 5)
  await stop(running.atPrimary)
  cpSync(cluster.primary.data, copy, { recursive: true })
  const atPrimary = await started(cluster, cluster.primary)
  await until('writes are open', async () => (await cluster.primaryStatus()).writes === 'open')
  await write(signer, 5)
  await caughtUp(running)
  // The newest position is signed a moment after its commit, and is what the replica proves its claim with.
  await setTimeout(500)
  await atPrimary.kill()
  putBack(cluster.primary, copy)
  // The archive beside the data would tell on its own; here it is lost, and only the replica knows.
  rmSync(`${cluster.primary.data}-archive`, { recursive: true, force: true })
  return running
}

/** Tries to write until the process ends, or `calls` times; returns the codes of the refusals. An acknowledgement fails the test. */
async function refusedWrites(signer: Signer, calls: number): Promise<string[]> {
  const codes: string[] = []
  for (let call = 0; call < calls; call += 1) {
    const outcome = await signer.mint({ org: 'acme', subject: 'forked' }).then(
      ({ position }) => `acknowledged at ${position}`,
      (error: MacaroondError) => error.code,
    )
    expect(outcome).not.toMatch(/^acknowledged/)
    codes.push(outcome)
    await setTimeout(POLL_MS)
  }
  return codes
}

test('a primary whose disk was put back exits with 5: its replica proves a newer position', async () => {
  const { cluster } = await rolledBack()
  const hasty = await cluster.signer(400)
  const again = cluster.start(cluster.primary)
  const [ending] = await Promise.all([again.ended, refusedWrites(hasty, 10)])
  expect(ending).toEqual({ code: POSITION_DIVERGED, signal: null })
  expect(again.log.join('\n')).toContain('position_diverged')
})

test('without its replica such a primary acknowledges nothing; when the replica comes, it stops', async () => {
  const { cluster, replica, atReplica } = await rolledBack()
  await stop(atReplica)
  const again = await started(cluster, cluster.primary)
  const hasty = await cluster.signer(1_000)
  expect(new Set(await refusedWrites(hasty, 10))).toEqual(new Set(['write_unconfirmed']))
  expect((await cluster.primaryStatus()).writes).toBe('unconfirmed')
  await started(cluster, replica)
  expect(await again.ended).toEqual({ code: POSITION_DIVERGED, signal: null })
})

test('a replica that is ahead without proof is refused with an alarm, and the primary goes on', async () => {
  const { cluster, replica, atReplica } = await rolledBack()
  await stop(atReplica)
  rmSync(join(replica.data, 'signed-position.json'))
  const again = await started(cluster, cluster.primary)
  await started(cluster, replica)
  await until('the replica alarms', async () => (await cluster.replicaStatus(replica)).alarm !== null)
  expect((await cluster.replicaStatus(replica)).alarm).toContain('ahead of')
  const hasty = await cluster.signer(1_000)
  expect(new Set(await refusedWrites(hasty, 5))).toEqual(new Set(['write_unconfirmed']))
  expect(again.log.join('\n')).toContain('a replica contradicts this primary and is refused')
  await stop(again)
})

test('a replica whose disk was put back catches up, and then refuses what was revoked in between', async () => {
  const running = await startCluster()
  const { cluster, replica, signer } = running
  const copy = join(cluster.root, 'copy')
  const { token } = await signer.mint({ org: 'acme', subject: 'alice' })
  await caughtUp(running)
  await stop(running.atReplica)
  cpSync(replica.data, copy, { recursive: true })
  const atReplica = await started(cluster, replica)
  const { position } = await signer.revoke({ token })
  await write(signer, 5)
  await caughtUp(running)
  await atReplica.kill()
  putBack(replica, copy)
  await started(cluster, replica)
  const verifier = await cluster.verifier(replica)
  await caughtUp(running)
  expect(await verifier.verify(token, { org: 'acme' }, { minPosition: position })).toMatchObject({ reason: 'revoked' })
  expect((await cluster.replicaStatus(replica)).alarm).toBeNull()
})
