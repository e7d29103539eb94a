/**
 * What its archive costs a primary, and how far it is behind: two clusters alike but for the archive, in turn in one run. The
 * processor time counts until everything is archived, so what is done after the last answer counts too.
 */
import { Cluster } from './cluster.ts'
import type { FillParams } from './load.ts'
import type { Plan, Rate } from './plan.ts'
import type { Row } from './report.ts'
import { maximum, median, percentile } from './statistics.ts'

const SECTION = 'Archive, in a directory, at the defaults'
const WARM_UP: FillParams = { kind: 'revoke', commands: 2_000 }
const REVOCATIONS = { kind: 'revoke' } as const

interface Cost {
  readonly perSecond: number
  readonly cpuMicros: number
}

type Load = (side: Side) => Promise<{ readonly lastTxid: number; readonly perSecond: number }>

interface Side {
  readonly cluster: Cluster
  readonly hasArchive: boolean
}

export async function measureArchiving(folder: string, { archiving }: Plan): Promise<Row[]> {
  const sides: Side[] = [
    { cluster: await Cluster.start(`${folder}/with`), hasArchive: true },
    { cluster: await Cluster.start(`${folder}/without`, { archive: { enabled: false } }), hasArchive: false },
  ]
  try {
    for (const side of sides) await costOf(side, (one) => fill(one, WARM_UP))
    const full = await inTurn(sides, archiving.rounds, (side) => fill(side, { ...REVOCATIONS, ...archiving }))
    const single = await inTurn(sides, archiving.rounds, (side) => pace(side, archiving.single))
    const lags: Row[] = []
    for (const rate of archiving.lag) lags.push(...(await measureLag(sides[0]!.cluster, rate)))
    return [...rowsOf('full groups', full), ...rowsOf('a revocation a commit', single), ...lags]
  } finally {
    for (const { cluster } of sides) await cluster.end()
  }
}

/** Who goes first changes from round to round. */
async function inTurn(sides: readonly Side[], rounds: number, load: Load): Promise<readonly (readonly Cost[])[]> {
  const costs: Cost[][] = []
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? sides : sides.toReversed()
    const measured: Cost[] = []
    for (const side of order) measured.push(await costOf(side, load))
    costs.push(round % 2 === 0 ? measured : measured.toReversed())
  }
  return costs
}

async function costOf(side: Side, load: Load): Promise<Cost> {
  const { primary, replica } = side.cluster
  const before = await primary.call('cpu', undefined)
  const { lastTxid, perSecond } = await load(side)
  await replica.call('reached', lastTxid)
  if (side.hasArchive) await primary.call('archived', lastTxid)
  const after = await primary.call('cpu', undefined)
  return { perSecond, cpuMicros: after.user + after.system - before.user - before.system }
}

async function fill({ cluster }: Side, load: FillParams): ReturnType<Load> {
  const { startNs, endNs, lastTxid } = await cluster.primary.call('fill', load)
  return { lastTxid, perSecond: (load.commands / (endNs - startNs)) * 1e9 }
}

async function pace({ cluster }: Side, rate: Rate): ReturnType<Load> {
  const { txids, atNs } = await cluster.primary.call('pace', { ...REVOCATIONS, ...rate })
  const perSecond = ((txids.length - 1) / ((atNs.at(-1) ?? 0) - (atNs[0] ?? 0))) * 1e9
  return { lastTxid: txids.at(-1) ?? 0, perSecond }
}

function rowsOf(what: string, rounds: readonly (readonly Cost[])[]): Row[] {
  const ratios = (of: (cost: Cost) => number): number[] =>
    rounds.map(([with_, without]) => of(with_ as Cost) / of(without as Cost))
  const rates = ratios(({ perSecond }) => perSecond)
  const cpu = ratios(({ cpuMicros }) => cpuMicros)
  const common = { section: SECTION, unit: '' }
  return [
    { ...common, name: `${what}: throughput, with : without`, value: median(rates), detail: list(rates) },
    { ...common, name: `${what}: primary’s processor time, with : without`, value: median(cpu), detail: list(cpu) },
  ]
}

/** From the return of COMMIT until the manifest that has the transaction is durable. */
async function measureLag({ primary }: Cluster, rate: Rate): Promise<Row[]> {
  const commits = await primary.call('pace', { ...REVOCATIONS, ...rate })
  const archived = await primary.call('archived', commits.txids.at(-1) ?? Infinity)
  let entry = 0
  const samples = commits.txids.map((txid, index) => {
    while ((archived.txids[entry] ?? Infinity) < txid) entry += 1
    return ((archived.atNs[entry] ?? NaN) - (commits.atNs[index] ?? NaN)) / 1e6
  })
  const common = { section: SECTION, unit: 'ms' }
  const what = `commit to archived, ${rate.perSecond} commits/s`
  const most = `max ${maximum(samples).toFixed(0)} ms, n = ${samples.length}`
  return [
    { ...common, name: `${what}: p50`, value: percentile(samples, 0.5) },
    { ...common, name: `${what}: p99`, value: percentile(samples, 0.99), detail: most },
  ]
}

function list(ratios: readonly number[]): string {
  return `rounds ${ratios.map((ratio) => ratio.toFixed(2)).join(' ')}`
}
