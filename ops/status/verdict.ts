/**
 * The verdict of `macaroond status`: a sentence that says whether tokens are judged and writes are taken, and the next step.
 * Pure: the answers of the nodes and the time are parameters.
 */
import { type AlarmCode, ALARMS } from '../../shared/alarms.ts'
import type { PrimaryStatus, ReplicaStatus } from '../../shared/protocol/status.ts'
import { alarmsIn } from './alarms.ts'
import type { ClusterAnswers, NodeAnswer } from './ask.ts'
import { asList, timeOfDay } from './text.ts'

/** `up`: every region serves and writes are open. `down`: no region serves. */
export type Health = 'up' | 'degraded' | 'down'

export interface StatusVerdict {
  readonly health: Health
  readonly message: string
  /** The next step for the operator. */
  readonly next: string
}

type Replica = NodeAnswer<ReplicaStatus>

/** A region serves if one of its replicas does. */
interface Region {
  readonly name: string
  readonly replicas: readonly Replica[]
  readonly serves: boolean
}

/** A fact that keeps the cluster from being up, and the step that ends it. */
interface Fault {
  readonly what: string
  readonly next: string
}

export function judgeCluster(answers: ClusterAnswers, nowMs: number): StatusVerdict {
  const regions = regionsOf(answers.replicas)
  const faults = faultsOf(answers, regions, nowMs)
  const [first] = faults
  if (first === undefined) return { health: 'up', message: upText(answers, regions), next: nextWhenUp(answers) }
  const serving = regions.filter(({ serves }) => serves)
  const isDown = regions.length === 0 ? !answers.primary.reachable : serving.length === 0
  const whats = faults.map(({ what }) => what)
  const next = primaryAction(answers) ?? first.next
  if (isDown) return { health: 'down', message: `DOWN: ${whats.join('; ')}`, next }
  const rest = serving.length === 0 ? [] : [`${answer(serving.map(({ name }) => name))}${untilText(answers, serving)}`]
  return { health: 'degraded', message: `DEGRADED: ${[...whats, ...rest].join('; ')}`, next }
}

/** The reason why every verdict of this replica is `unavailable`; undefined if it judges tokens. */
function whyUnavailable(status: ReplicaStatus): AlarmCode | 'no_data' | undefined {
  if (status.position === null) return 'no_data'
  if (alarmsIn(status).some(({ code }) => code === 'revocation_unknown')) return 'revocation_unknown'
  if (status.freshness.clockDoubt !== null) return 'clock_doubt'
  return status.freshness.leaseMs > 0 ? undefined : 'lease_ran_out'
}

function serves(replica: Replica): boolean {
  return replica.reachable && whyUnavailable(replica.status) === undefined
}

function regionsOf(replicas: readonly Replica[]): readonly Region[] {
  const names = [...new Set(replicas.map(({ region }) => region ?? ''))]
  return names.map((name) => {
    const own = replicas.filter(({ region }) => region === name)
    return { name, replicas: own, serves: own.some(serves) }
  })
}

/** All faults, the likeliest cause first: a primary that is away explains leases that ran out. */
function faultsOf(answers: ClusterAnswers, regions: readonly Region[], nowMs: number): readonly Fault[] {
  const nodes = [answers.primary, ...answers.replicas]
  if (nodes.length > 1 && nodes.every(({ reachable }) => !reachable)) return [nobodyReached(answers, nodes.length)]
  return [
    ...primaryFaults(answers, nowMs),
    ...regionFaults(regions, nowMs),
    ...spareFaults(regions),
    ...strangers(answers),
    ...alarmFaults(answers, regions),
  ]
}

function nobodyReached({ primary }: ClusterAnswers, count: number): Fault {
  return {
    what: `none of the ${count} nodes was reached from here`,
    next: `check the network of this machine, then the primary at ${primary.address}`,
  }
}

function primaryFaults({ primary, replicas }: ClusterAnswers, nowMs: number): readonly Fault[] {
  if (primary.reachable) return writesFaults(primary.status)
  const { code, message, hint } = primary.error
  if (!SILENCE.has(code)) return [{ what: `the primary answers otherwise: ${message}`, next: hint ?? message }]
  if (replicas.some(hearsPrimary)) {
    const next = `mend the network between this machine and the primary at ${primary.address}; the replicas hear it`
    return [{ what: 'the primary is not reached from here', next }]
  }
  const next = `start the primary at ${primary.address}, or mend the network to it (RUNBOOK, "The primary is down")`
  const heardMs = lastHeardMs(replicas, nowMs)
  if (heardMs === undefined) return [{ what: 'the primary is not reached', next }]
  return [{ what: `the primary has not been reached since ${timeOfDay(heardMs, nowMs)}`, next }]
}

/** Errors of a node that is not there, unlike those of a node that refuses. */
const SILENCE: ReadonlySet<string> = new Set(['connect_failed', 'connection_lost', 'timeout', 'closed'])

function hearsPrimary(replica: Replica): boolean {
  return replica.reachable && replica.status.stream.phase === 'connected' && replica.status.freshness.leaseMs > 0
}

/** The newest time at which a replica heard from the primary, by this machine's clock. */
function lastHeardMs(replicas: readonly Replica[], nowMs: number): number | undefined {
  const ages = replicas.flatMap((replica) => (replica.reachable ? (replica.status.freshness.ageMs ?? []) : []))
  return ages.length === 0 ? undefined : nowMs - Math.min(...ages)
}

const WRITES_NEXT: Readonly<Record<Exclude<PrimaryStatus['writes'], 'open'>, string>> = {
  unconfirmed: ALARMS.writes_unconfirmed.action,
  'clock in doubt': ALARMS.clock_doubt.action,
  'disk full': ALARMS.disk_full.action,
  stopping: 'wait until the primary has stopped, and start it again',
}

function writesFaults({ writes }: PrimaryStatus): readonly Fault[] {
  if (writes === 'open') return []
  return [{ what: `the primary takes no writes (${writes})`, next: WRITES_NEXT[writes] ?? 'look at the alarms' }]
}

/** Regions without a verdict: those whose replicas say so, and those of which no replica was reached. */
function regionFaults(regions: readonly Region[], nowMs: number): readonly Fault[] {
  const failing = regions.filter((region) => !region.serves)
  const silent = failing.filter(({ replicas }) => replicas.every(({ reachable }) => !reachable))
  const unavailable = failing.filter((region) => !silent.includes(region))
  return [
    ...(unavailable.length === 0 ? [] : [unavailableFault(unavailable, nowMs)]),
    ...(silent.length === 0 ? [] : [silentFault(silent)]),
  ]
}

function unavailableFault(regions: readonly Region[], nowMs: number): Fault {
  const names = asList(regions.map(({ name }) => name))
  const statuses = regions.flatMap(({ replicas }) => replicas.flatMap((one) => (one.reachable ? [one.status] : [])))
  const sinces = statuses.flatMap((status) =>
    alarmsIn(status).flatMap(({ code, sinceMs }) => (code === whyUnavailable(status) && sinceMs > 0 ? [sinceMs] : [])),
  )
  // The alarm comes some seconds after the lease ended; before that there is no time to state.
  const since = sinces.length < statuses.length ? '' : ` since ${timeOfDay(Math.max(...sinces), nowMs)}`
  const why = statuses.map(whyUnavailable).find((one) => one !== undefined)
  const next = why === 'no_data' || why === undefined ? 'wait: a new replica fetches a snapshot' : ALARMS[why].action
  return { what: `${names} ${regions.length === 1 ? 'answers' : 'answer'} unavailable${since}`, next }
}

function silentFault(regions: readonly Region[]): Fault {
  const names = asList(regions.map(({ name }) => name))
  const addresses = asList(regions.flatMap(({ replicas }) => replicas.map(({ address }) => address)))
  const what = `${names} ${regions.length === 1 ? 'is' : 'are'} not reached from here`
  return { what, next: `start the replicas at ${addresses}, or mend the network to them` }
}

/** Replicas that do not serve, in regions where another replica does. */
function spareFaults(regions: readonly Region[]): readonly Fault[] {
  const spare = regions.filter((region) => region.serves).flatMap(({ replicas }) => replicas)
  return spare
    .filter((replica) => !serves(replica))
    .map(({ address, region, reachable }) => ({
      what: `one replica of ${region ?? ''}, at ${address}, ${reachable ? 'answers unavailable' : 'is not reached from here'}`,
      next: `start the replica at ${address}, or mend the network to it`,
    }))
}

/** Replicas that the primary expects, that this profile does not name, and that are away. */
function strangers({ primary, replicas }: ClusterAnswers): readonly Fault[] {
  if (!primary.reachable) return []
  const known = new Set(replicas.map(({ peerId }) => peerId))
  const away = primary.status.replicas.filter(({ peerId, revocations }) => !known.has(peerId) && !revocations)
  if (away.length === 0) return []
  const what = `${asList(away.map(({ name }) => name))}, which this profile does not name, ${away.length === 1 ? 'is' : 'are'} away`
  return [{ what, next: 'start those replicas, or remove from `[[peers]]` those that no longer exist' }]
}

/** Critical alarms, except those of a replica without verdicts, which the faults of its region name. */
function alarmFaults({ primary, replicas }: ClusterAnswers, regions: readonly Region[]): readonly Fault[] {
  const failing = new Set(regions.filter((region) => !region.serves).map(({ name }) => name))
  const shown = [primary, ...replicas.filter(({ region }) => !failing.has(region ?? ''))]
  const alarms = shown.flatMap((node) => (node.reachable ? alarmsIn(node.status) : []))
  const critical = alarms.filter(({ severity }) => severity === 'critical')
  const [first] = critical
  if (first === undefined) return []
  const codes = [...new Set(critical.map(({ code }) => code))].join(', ')
  const what = critical.length === 1 ? `1 critical alarm (${codes})` : `${critical.length} critical alarms (${codes})`
  return [{ what, next: first.action }]
}

/** The action of the primary's first critical alarm: a primary that grants no lease explains regions without one. */
function primaryAction({ primary }: ClusterAnswers): string | undefined {
  if (!primary.reachable) return undefined
  return alarmsIn(primary.status).find(({ severity }) => severity === 'critical')?.action
}

function upText({ primary, replicas }: ClusterAnswers, regions: readonly Region[]): string {
  const bound = boundText([primary, ...replicas])
  if (regions.length === 0) return `THE PRIMARY TAKES WRITES, and this profile names no replica${bound}`
  return regions.length === 1 ? `THE ONLY REGION ANSWERS${bound}` : `ALL ${regions.length} REGIONS ANSWER${bound}`
}

function boundText(nodes: readonly NodeAnswer[]): string {
  const bounds = nodes.flatMap((node) => (node.reachable ? (node.status.freshness.boundMs ?? []) : []))
  return bounds.length === 0 ? '' : `, revocations bind within ${(Math.max(...bounds) / 1_000).toFixed(1)} s`
}

function nextWhenUp({ primary, replicas }: ClusterAnswers): string {
  const alarms = [primary, ...replicas].flatMap((node) => (node.reachable ? alarmsIn(node.status) : []))
  return alarms[0] === undefined ? 'nothing to do' : alarms[0].action
}

function answer(names: readonly string[]): string {
  return `${asList(names)} ${names.length === 1 ? 'answers' : 'answer'}`
}

/** Without the primary, regions answer only until their leases end. */
function untilText({ primary, replicas }: ClusterAnswers, serving: readonly Region[]): string {
  if (primary.reachable || replicas.some(hearsPrimary)) return boundText([primary, ...replicas])
  const leases = serving.flatMap(({ replicas: own }) =>
    own.flatMap((one) => (one.reachable ? [one.status.freshness.leaseMs] : [])),
  )
  return ` until the lease ends, in ${(Math.max(...leases) / 1_000).toFixed(1)} s`
}
