/** The metrics of a replica, made from its status. */
import { samplesOfEach, gauge, gauges, linesDropped, type Metric, type Sample } from '../shared/metrics/metric.ts'
import { alarmMetric } from '../shared/service/alarm-metric.ts'
import { parsePosition } from '../shared/position.ts'
import type { ReplicaStatus } from '../shared/protocol/status.ts'

export function replicaMetrics(status: ReplicaStatus): readonly Metric[] {
  return [...ownMetrics(status), ...freshnessMetrics(status), ...linkMetrics(status), alarmMetric(status.alarms)]
}

function ownMetrics(status: ReplicaStatus): readonly Metric[] {
  const { version, cluster, region } = status
  const position = status.position === null ? undefined : parsePosition(status.position)
  const build: Sample = { labels: { version, role: 'replica', cluster, region }, value: 1 }
  return [
    gauges('macaroond_build_info', 'Version, role, cluster and region of this node.', [build]),
    gauge('macaroond_epoch', 'Epoch of the applied history. Each restore begins a new epoch.', position?.epoch),
    gauge('macaroond_txid', 'Last transaction applied.', position?.txid),
    gauge('macaroond_revocation_seq', 'Number of the last revocation known.', status.revocationSeq),
    gauge('macaroond_revocations', 'Revocations kept in memory.', status.revocations),
    gauge('macaroond_root_keys', 'Root keys kept in memory.', status.keys),
    gauge('macaroond_wal_bytes', 'Size of the WAL of the copy.', status.walBytes),
    linesDropped(status.linesDropped),
  ]
}

function freshnessMetrics({ freshness }: ReplicaStatus): readonly Metric[] {
  const { boundMs, leaseMs, ageMs, clockDoubt } = freshness
  return [
    gauge(
      'macaroond_revocation_bound_seconds',
      'The bound within which a revocation binds everywhere.',
      seconds(boundMs),
    ),
    gauge(
      'macaroond_lease_remaining_seconds',
      'Remaining time of the lease of freshness. At 0 every verdict is unavailable.',
      seconds(leaseMs),
    ),
    gauge('macaroond_state_age_seconds', 'Age of the state that tokens are judged by.', seconds(ageMs)),
    gauge('macaroond_clock_credible', '0 while this node does not believe its clock.', clockDoubt === null),
  ]
}

function linkMetrics({ wal, stream }: ReplicaStatus): readonly Metric[] {
  const connected = samplesOfEach(
    Object.entries({ wal, revocations: stream }),
    ([channel]) => ({ channel }),
    ([, { phase }]) => phase === 'connected',
  )
  return [gauges('macaroond_primary_connected', '1 while a channel to the primary is open.', connected)]
}

function seconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1000
}
