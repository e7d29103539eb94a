/** Answers of nodes as `status` gets them, with every field that the verdict and the layout read. */
import type { ClusterAnswers, NodeAnswer } from '../../../ops/status/ask.ts'
import { type AlarmCode, ALARMS } from '../../../shared/alarms.ts'
import type { PrimaryStatus, ReplicaStatus } from '../../../shared/protocol/status.ts'

/** 14:02:00 UTC of a day. */
export const NOW_MS: number = Date.UTC(2026, 10, 3, 14, 2, 0)

const process = { cluster: 'prod', pid: 7, version: '0.1.0', uptimeSeconds: 60, timeline: 'ab'.repeat(16) }
const position = '1.0000000000000012.8a1c0e5b7d2f9a34'

export function alarm(code: AlarmCode, sinceMs: number = NOW_MS - 1_000): PrimaryStatus['alarms'][number] {
  const { severity, summary, action } = ALARMS[code]
  return { code, severity, about: '', message: summary, action, sinceMs }
}

export function primary(of: Partial<PrimaryStatus> = {}): NodeAnswer<PrimaryStatus> {
  const freshness = { boundMs: 5_101, leaseMs: 5_000, settled: true, clockDoubt: null }
  const status = { role: 'primary', ...process, position, writes: 'open', revocationSeq: 3, freshness, replicas: [] }
  const whole = { ...status, archive: null, alarms: [], ...of } as unknown as PrimaryStatus
  return { role: 'primary', region: null, address: '10.0.0.1:7400', peerId: 'p', reachable: true, status: whole }
}

export function replica(region: string, of: Partial<ReplicaStatus> = {}): NodeAnswer<ReplicaStatus> {
  const freshness = { boundMs: 5_101, leaseMs: 4_800, ageMs: 200, clockDoubt: null }
  const connected = { phase: 'connected', error: null }
  const status = { role: 'replica', ...process, region, position, revocationSeq: 3, freshness, alarms: [], alarm: null }
  const whole = { ...status, wal: connected, stream: connected, ...of } as unknown as ReplicaStatus
  return { role: 'replica', region, address: `10.0.1.1:7400`, peerId: `r-${region}`, reachable: true, status: whole }
}

/** A replica whose lease ran out: it heard its primary last `ageMs` ago. */
export function withoutLease(
  region: string,
  ageMs: number,
  alarms: ReplicaStatus['alarms'] = [],
): NodeAnswer<ReplicaStatus> {
  const freshness = { boundMs: 5_101, leaseMs: 0, ageMs, clockDoubt: null }
  return replica(region, { freshness, alarms, stream: { phase: 'waiting', error: 'no answer' } })
}

type Silent<T extends NodeAnswer> = Extract<T, { readonly reachable: false }>

export function silent<T extends NodeAnswer>(
  node: T,
  code: 'connect_failed' | 'peer_mismatch' = 'connect_failed',
): Silent<T> {
  const { role, region, address, peerId } = node
  const error = { code, message: `cannot reach ${address}: ECONNREFUSED` }
  return { role, region, address, peerId, reachable: false, error } as unknown as Silent<T>
}

export function cluster(of: Partial<ClusterAnswers> = {}): ClusterAnswers {
  return { primary: primary(), replicas: [replica('fra'), replica('sin')], ...of }
}
