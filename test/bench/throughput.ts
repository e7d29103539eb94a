/** Commits shipped and applied at a replica, beside the same writes without shipping, round by round in one run. */
import { join } from 'node:path'
import type { Cluster } from './cluster.ts'
import type { LoadKind } from './load.ts'
import type { Plan } from './plan.ts'
import { Child } from './process.ts'
import type { Row } from './report.ts'
import { median } from './statistics.ts'
import type { UnshippedCalls } from './unshipped-child.ts'

interface Round {
  readonly shipped: number
  readonly unshipped: number
  readonly group: number
  readonly segmentBytes: number
  readonly wireBytes: number
}

const RATIO_AIM = 0.7
const WARM_UP_ROUNDS = 1
const ROUNDS_MIN = 3

export async function measureThroughput(cluster: Cluster, folder: string, plan: Plan): Promise<Row[]> {
  const unshipped = new Child<UnshippedCalls>('unshipped-child.ts')
  try {
    await unshipped.call('start', { path: join(folder, 'unshipped.db'), kek: '11'.repeat(32) })
    const revoked = await measureKind({ cluster, unshipped }, 'revoke', plan)
    const minted = await measureKind({ cluster, unshipped }, 'mint', plan)
    return [...rowsOf('revocations', 'revocation', revoked), ...rowsOf('mints', 'mint', minted)]
  } finally {
    await unshipped.end()
  }
}

interface Sides {
  readonly cluster: Cluster
  readonly unshipped: Child<UnshippedCalls>
}

async function measureKind(sides: Sides, kind: LoadKind, { throughput }: Plan): Promise<Round[]> {
  const rounds: Round[] = []
  const endMs = performance.now() + throughput.seconds * 1000
  for (let index = -WARM_UP_ROUNDS; index < throughput.rounds; index += 1) {
    if (index >= ROUNDS_MIN && performance.now() > endMs) break
    // Who goes first changes from round to round, so that neither always finds the disk the other left.
    const round = await measureRound(sides, { kind, commands: throughput.commands }, index % 2 === 0)
    if (index >= 0) rounds.push(round)
  }
  return rounds
}

async function measureRound(
  { cluster, unshipped }: Sides,
  load: { kind: LoadKind; commands: number },
  shippedFirst: boolean,
): Promise<Round> {
  const plain = async (): Promise<number> => {
    const { startNs, endNs } = await unshipped.call('fill', load)
    return perSecond(load.commands, endNs - startNs)
  }
  const before = shippedFirst ? undefined : await plain()
  const shipped = await measureShipped(cluster, load)
  return { ...shipped, unshipped: before ?? (await plain()) }
}

/** From the first command until the last one's transaction is visible at the replica. */
async function measureShipped(
  { primary, replica }: Cluster,
  load: { kind: LoadKind; commands: number },
): Promise<Omit<Round, 'unshipped'>> {
  const wireBefore = await primary.call('wireBytes', undefined)
  const { startNs, lastTxid, transactions, segmentBytes } = await primary.call('fill', load)
  const { txid, atNs } = await replica.call('reached', lastTxid)
  if (txid !== lastTxid) throw new Error('somebody else wrote during the measurement')
  const wireBytes = (await primary.call('wireBytes', undefined)) - wireBefore
  return {
    shipped: perSecond(load.commands, atNs - startNs),
    group: load.commands / transactions,
    segmentBytes: segmentBytes / load.commands,
    wireBytes: wireBytes / load.commands,
  }
}

function rowsOf(section: string, noun: string, rounds: readonly Round[]): Row[] {
  const of = (value: (round: Round) => number): number => median(rounds.map(value))
  const ratios = rounds.map((round) => round.shipped / round.unshipped)
  const in_ = { section: `Throughput, ${section} in full groups, fsynced` }
  const spread = `rounds ${ratios.map((ratio) => ratio.toFixed(2)).join(' ')}`
  return [
    { ...in_, name: 'shipped and applied at a replica', unit: '/s', value: of((round) => round.shipped) },
    { ...in_, name: 'the same writes without shipping', unit: '/s', value: of((round) => round.unshipped) },
    { ...in_, name: 'ratio', unit: '', value: median(ratios), target: { atLeast: RATIO_AIM }, detail: spread },
    { ...in_, name: 'commands in a transaction', unit: '', value: of((round) => round.group) },
    { ...in_, name: `segment bytes a ${noun}`, unit: 'B', value: of((round) => round.segmentBytes) },
    { ...in_, name: `bytes on all connections a ${noun}`, unit: 'B', value: of((round) => round.wireBytes) },
  ]
}

function perSecond(count: number, elapsedNs: number): number {
  return (count / elapsedNs) * 1e9
}
