/**
 * Resident memory of each process with 100,000 revocations, beside one that has only loaded the libraries. All of them run
 * as published: the compiler inside Node that lets TypeScript run unbuilt takes some 20 MB of its own.
 */
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { NODE_FLAGS } from '../../ops/cluster/node-process.ts'
import type { BaseCalls } from './base-child.ts'
import { Cluster } from './cluster.ts'
import { publish } from './publish.ts'
import { Child } from './process.ts'
import type { Row } from './report.ts'

const REVOCATIONS = 100_000
const REPLICA_AIM_MB = 60
/** What was just loaded is compiled and collected; a node in operation has that behind it. */
const SETTLE_MS = 3_000

export async function measureMemory(folder: string): Promise<Row[]> {
  const build = await publish(join(folder, 'build'))
  const base = new Child<BaseCalls>('base-child.ts', NODE_FLAGS, build)
  const cluster = await Cluster.start(folder, { build })
  try {
    await base.call('loaded', undefined)
    const { lastTxid } = await cluster.primary.call('fill', { kind: 'revoke', commands: REVOCATIONS })
    await requireRevocations(cluster, lastTxid)
    await setTimeout(SETTLE_MS)
    const [baseMb, primaryMb, followedMb] = [megabytes(base), megabytes(cluster.primary), megabytes(cluster.replica)]
    await cluster.restartReplica()
    await requireRevocations(cluster, lastTxid)
    await setTimeout(SETTLE_MS)
    const restartedMb = megabytes(cluster.replica)
    const common = { section: 'Resident memory with 100,000 revocations', unit: 'MB' }
    const aim = { target: { atMost: REPLICA_AIM_MB } }
    return [
      { ...common, name: 'a process that has only loaded the libraries', value: baseMb },
      { ...common, name: 'primary, after writing them', value: primaryMb },
      { ...common, name: 'replica, after following them', value: followedMb },
      { ...common, name: 'replica, restarted', value: restartedMb },
      { ...common, name: 'primary above the libraries', value: primaryMb - baseMb },
      { ...common, name: 'replica above the libraries, after following', value: followedMb - baseMb, ...aim },
      { ...common, name: 'replica above the libraries, restarted', value: restartedMb - baseMb, ...aim },
    ]
  } finally {
    await base.end()
    await cluster.end()
  }
}

async function requireRevocations({ replica }: Cluster, txid: number): Promise<void> {
  const { revocations } = await replica.call('reached', txid)
  if (revocations !== REVOCATIONS) throw new Error(`the replica knows ${revocations} revocations, not ${REVOCATIONS}`)
}

function megabytes(child: { readonly residentBytes: number }): number {
  return child.residentBytes / 1e6
}
