/** Measures the time from the COMMIT of a revocation until each replica enforces it, each worker does, and all of them do. */
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Fleet } from './fleet.ts'
import type { Plan, Rate } from './plan.ts'
import type { Row } from './report.ts'
import { maximum, percentile } from './statistics.ts'
import type { Enforced } from './workers-child.ts'

/** Beyond the one-way delay of the network, which loopback has none of, at the rate that has an aim. */
const AIM = { perSecond: 100, p50Ms: 2, p99Ms: 10 }
const ROUND_TRIPS = 200

/** As few as show what the way takes, and as many as an operator may have: all of them share these processors. */
const WORKERS_FEW = 3
const WORKERS_MANY = 50

export async function measurePropagation(folder: string, plan: Plan): Promise<Row[]> {
  const few = await measureFleet(join(folder, 'few'), plan, WORKERS_FEW)
  return [...few, ...(await measureFleet(join(folder, 'many'), plan, WORKERS_MANY))]
}

async function measureFleet(folder: string, plan: Plan, workers: number): Promise<Row[]> {
  const fleet = await Fleet.start(folder, workers)
  const rows: Row[] = []
  let last = 0
  for (const rate of plan.propagation.rates) {
    const { commits, seq } = await revokePaced(fleet, rate, last)
    const seen = await enforcedBy(fleet, seq)
    for (const [where, all] of Object.entries(seen)) {
      const samples = all.flatMap((one) => delaysMs(one, commits, last))
      const aim = rate.perSecond === AIM.perSecond ? AIM : undefined
      const section = `Revocation: COMMIT to enforced at every ${where}, of ${workers} workers at 3 replicas`
      rows.push(...rowsOf({ section, name: `${rate.perSecond}/s`, samples, aim }))
    }
    last = seq
    rows.push(...(await roundTripRows(fleet, rate)))
  }
  rows.push(...globalRows(await fleet.client.call('revokeGlobally', plan.propagation.global), workers))
  await fleet.end()
  return rows
}

async function revokePaced(
  { primary }: Fleet,
  rate: Rate,
  before: number,
): Promise<{ commits: number[]; seq: number }> {
  const { atNs } = await primary.call('pace', { kind: 'revoke', ...rate })
  return { commits: atNs, seq: before + atNs.length }
}

async function enforcedBy({ regions }: Fleet, seq: number): Promise<{ replica: Enforced[]; worker: Enforced[] }> {
  const worker = await Promise.all(regions.map(({ workers }) => workers.call('enforced', seq)))
  const replica = await Promise.all(regions.map(({ replica: node }) => node.call('enforced', undefined)))
  return { replica, worker: worker.flat() }
}

/** A revocation a commit: the first of these commits has the number after `before`. */
function delaysMs({ seqs, atNs }: Enforced, commits: readonly number[], before: number): number[] {
  let at = 0
  return commits.map((commitNs, index) => {
    while ((seqs[at] ?? Infinity) < before + index + 1) at += 1
    const enforcedNs = atNs[at]
    if (enforcedNs === undefined) throw new Error('a revocation was not seen everywhere')
    return (enforcedNs - commitNs) / 1e6
  })
}

interface Measured {
  readonly section: string
  readonly name: string
  /** Milliseconds. */
  readonly samples: readonly number[]
  readonly aim?: typeof AIM | undefined
}

function rowsOf({ section, name, samples, aim }: Measured): Row[] {
  const row = (fraction: number, detail: string, atMost: number | undefined): Row => {
    const value = percentile(samples, fraction)
    const common = { section, unit: 'ms', name: `${name}: p${fraction * 100}`, value, detail }
    return atMost === undefined ? common : { ...common, target: { atMost } }
  }
  const most = `max ${maximum(samples).toFixed(1)} ms`
  return [row(0.5, `n = ${samples.length}`, aim?.p50Ms), row(0.99, most, aim?.p99Ms)]
}

/** Of the same machine in the same minute. */
async function roundTripRows({ regions }: Fleet, rate: Rate): Promise<Row[]> {
  const server = createServer((socket) => socket.setNoDelay(true).pipe(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const samples = await regions[0]?.workers.call('roundTrips', { port, count: ROUND_TRIPS })
  server.close()
  const section = 'Bare TCP round trip between two processes here, after that load'
  return rowsOf({ section, name: `${rate.perSecond}/s`, samples: (samples ?? []).map((ns) => ns / 1e6) })
}

function globalRows(samplesNs: readonly number[], workers: number): Row[] {
  const section = `revoke --wait global, from the call: 3 replicas, ${workers} workers`
  return rowsOf({ section, name: 'one after the other', samples: samplesNs.map((ns) => ns / 1e6) })
}
