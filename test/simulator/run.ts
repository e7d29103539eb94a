/** Runs one seed: a cluster under load and the faults of its plan, then a time without faults, a final check, and the verdict. */
import { FRESHNESS_DEFAULTS, revocationBoundMs } from '../../shared/freshness/bound.ts'
import { join } from 'node:path'
import { checkHistory, type Bounds, type Verdict } from '../history/check.ts'
import type { HistoryEvent, RevokeEvent } from '../history/event.ts'
import { copyOf } from './archive/archive-checker.ts'
import { isPowerLost } from './disk/volume.ts'
import { Load } from './load/load.ts'
import { type Loss, TestCluster, textOf } from './nodes/test-cluster.ts'
import { RUN_EPOCH_MS } from './nodes/template.ts'
import { inject } from './plan/inject.ts'
import { type Plan, RARE_KINDS } from './plan/plan.ts'

export interface RunResult {
  readonly plan: Plan
  readonly events: readonly HistoryEvent[]
  readonly verdict: Verdict
  /** One sentence for each thing that must not happen, promises that were broken among them. */
  readonly failures: readonly string[]
  readonly trace: readonly string[]
  readonly digest: string
  readonly virtualMs: number
  /** After the end of all faults and of every lease from before it, until every region accepted a good token. */
  readonly freshAgainMs: number
}

export interface Grounds {
  /** A folder of this run alone. */
  readonly folder: string
  /** What `makeTemplate` made. */
  readonly images: string
}

/**
 * After the last fault. A handshake with a machine that has lost its power is given up after three seconds (limits.ts), and
 * the next one may wait for half a second.
 */
const FRESH_AGAIN_MS_MAX = 5_000
const PROBE_MS = 150
const OPERATION_MS_MAX = 20_000
/** The archiver tries again after half a second, then after twice as long each time, thirty seconds at most. */
const ARCHIVED_AGAIN_MS_MAX = 31_000
/** What was asked for at the end of the load is answered, or known to have failed. */
const LAST_ANSWER_MS = 300
const LAST_LOOK_MS = 600

export function boundsOf({ freshness }: Plan): Bounds {
  const revocationMs = revocationBoundMs({ ...FRESHNESS_DEFAULTS, ...freshness })
  const { lease_ms, ping_ms } = freshness
  return { revocationMs, leaseMs: revocationMs, surelyLeasedMs: lease_ms - 3 * ping_ms }
}

export async function runPlan(plan: Plan, { folder, images }: Grounds): Promise<RunResult> {
  const { seed, freshness, archive, lengthMs, faults } = plan
  const cluster = new TestCluster({ seed, freshness, archive, folder, images, epochMs: RUN_EPOCH_MS })
  const watch = (reason: unknown): void => {
    if (!isPowerLost(reason)) cluster.problem(`a rejection that nobody handled: ${textOf(reason)}`)
  }
  process.on('unhandledRejection', watch)
  try {
    cluster.startAll()
    const isWrongByYears = faults.some(({ kind }) => kind === 'years away')
    const load = new Load(cluster, lengthMs, { mixesLives: isWrongByYears })
    load.start()
    for (const fault of faults) inject(cluster, fault, faults)
    const { scheduler } = cluster
    const bounds = boundsOf(plan)
    const overMs = await operationsDone(cluster, lengthMs)
    const quietMs = overMs + bounds.revocationMs + LAST_ANSWER_MS
    await cluster.runUntil(quietMs)
    const freshAgainMs = await freshAgain(cluster, load, quietMs)
    const lookMs = scheduler.nowMs
    load.readAll()
    await cluster.runUntil(lookMs + LAST_LOOK_MS)
    await checkArchive(cluster, plan, folder)
    const events = cluster.events.map((event) => promised(event, cluster.losses))
    const verdict = checkHistory(events, bounds)
    const failures = [...verdict.violations.map(({ rule, what }) => `${rule}: ${what}`), ...cluster.problems]
    failures.push(...lastLook(events, lookMs))
    failures.push(...tablesOf(cluster, plan))
    const { lines: trace } = cluster.trace
    return {
      plan,
      freshAgainMs,
      events,
      verdict,
      failures,
      trace,
      digest: cluster.trace.digest(),
      virtualMs: scheduler.nowMs,
    }
  } finally {
    cluster.close()
    process.off('unhandledRejection', watch)
  }
}

/** A restore waits until every source has answered; all links are whole by then. */
async function operationsDone(cluster: TestCluster, lengthMs: number): Promise<number> {
  const { scheduler, operations } = cluster
  await cluster.runUntil(lengthMs)
  while (operations.size > 0 && scheduler.nowMs - lengthMs < OPERATION_MS_MAX)
    await cluster.runUntil(scheduler.nowMs + PROBE_MS)
  if (operations.size > 0) cluster.problem(`never done: ${[...operations].join(', ')}`)
  return scheduler.nowMs
}

/** What a primary said that had a successor counts as far as somebody else can have known it. */
function promised(event: HistoryEvent, losses: readonly Loss[]): HistoryEvent {
  if (event.t !== 'revoke' || event.result === 'refused') return event
  const { inv, ret, wait, result, epoch } = event
  const isAlone = ({ atMs, untilMs, epoch: next, isBlind = false }: Loss): boolean => {
    if (epoch === undefined ? inv > untilMs : epoch >= next) return false
    if (isBlind) return true
    return wait === 'local' || result === 'indeterminate' || ret > atMs
  }
  return losses.some(isAlone) ? { ...event, result: 'unpromised' } : event
}

async function freshAgain(cluster: TestCluster, load: Load, sinceMs: number): Promise<number> {
  const { scheduler } = cluster
  while (scheduler.nowMs - sinceMs < FRESH_AGAIN_MS_MAX && !(await load.accepted())) {
    await cluster.runUntil(scheduler.nowMs + PROBE_MS)
  }
  return scheduler.nowMs - sinceMs
}

/** What waited while the archive was away is soon there, and all of it can be restored. */
async function checkArchive(cluster: TestCluster, { faults }: Plan, folder: string): Promise<void> {
  const { archive, scheduler } = cluster
  const { data } = cluster.slot('primary')
  if (archive === undefined || data === undefined) return
  const { checker } = archive
  const sinceMs = scheduler.nowMs
  const copy = (): string => copyOf(data, join(folder, 'copy'))
  while (!(await checker.hasAll(copy()))) {
    if (scheduler.nowMs - sinceMs > ARCHIVED_AGAIN_MS_MAX)
      return cluster.problem('archive: what was committed has not arrived')
    await cluster.runUntil(scheduler.nowMs + PROBE_MS)
  }
  await checker.checkAll(copy(), !faults.some(({ kind }) => kind === 'wall clock moved'))
}

/** V2: when all is well again nothing is unavailable, and what nobody asked to revoke is accepted. */
function lastLook(events: readonly HistoryEvent[], sinceMs: number): readonly string[] {
  const touched: ReadonlySet<string | undefined> = new Set(
    events.flatMap((event) => (event.t === 'revoke' ? [namedBy(event)] : [])),
  )
  const ended = new Set(
    events.flatMap((event) =>
      event.t === 'mint' && [event.id, event.subject, ...event.ancestors].some((name) => touched.has(name))
        ? [event.id]
        : [],
    ),
  )
  return events.flatMap((event) => {
    if (event.t !== 'verify' || event.inv < sinceMs || event.id === undefined) return []
    if (event.result === 'unavailable') return [`V2: ${event.region} is not fresh again: ${event.reason}`]
    // In a year that it believed in a token had expired, and stays so where that time was not put right by a start.
    const wrong = event.result === 'deny' && event.reason !== 'expired' && !ended.has(event.id)
    return wrong ? [`S12: ${event.region} refuses a good token at the end: ${event.reason}`] : []
  })
}

/** A scrub that found the table of a replica to lack what its files name, or to know more than they do. */
function tablesOf({ slots }: TestCluster, { faults }: Plan): readonly string[] {
  const isAnew = faults.some(({ kind }) => RARE_KINDS.includes(kind))
  const codes = isAnew ? ['table_incomplete'] : ['table_incomplete', 'table_unaccounted']
  return [...slots].flatMap(([name, { node }]) => {
    const alarms = node?.status.alarms ?? []
    return alarms.filter(({ code }) => codes.includes(code)).map(({ message }) => `S3: ${name}: ${message}`)
  })
}

/** A token by its id, or all that a subject has. */
function namedBy({ named }: RevokeEvent): string | undefined {
  if (named.kind === 'token') return named.id
  return named.kind === 'subject' ? named.subject : undefined
}
