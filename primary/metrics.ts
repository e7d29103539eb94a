/** Translates the answer of `status` into metrics. It reads nothing else, so the two never disagree. */
import { DURABILITY_LEVELS } from '../shared/database/durability-level.ts'
import {
  counter,
  samplesOfEach,
  gauge,
  gauges,
  linesDropped,
  type Metric,
  type Sample,
  stateGauge,
} from '../shared/metrics/metric.ts'
import { parsePosition } from '../shared/position.ts'
import { alarmMetric } from '../shared/service/alarm-metric.ts'
import {
  type DestinationStatus,
  type PrimaryStatus,
  type ReplicaLink,
  WRITES_STATES,
} from '../shared/protocol/status.ts'

export function primaryMetrics(status: PrimaryStatus): readonly Metric[] {
  const { archive } = status
  return [
    ...ownMetrics(status),
    ...freshnessMetrics(status),
    ...durabilityMetrics(status),
    ...replicaMetrics(status.replicas),
    alarmMetric(status.alarms),
    ...(archive === null ? [] : archiveMetrics([archive, ...archive.copies])),
  ]
}

function ownMetrics(status: PrimaryStatus): readonly Metric[] {
  const { epoch, txid } = parsePosition(status.position)
  const build: Sample = { labels: { version: status.version, role: 'primary', cluster: status.cluster }, value: 1 }
  return [
    gauges('macaroond_build_info', 'Version, role and cluster of this node.', [build]),
    gauge('macaroond_epoch', 'Epoch of the history. Each restore begins a new one.', epoch),
    gauge('macaroond_txid', 'Last transaction.', txid),
    gauge('macaroond_revocation_seq', 'Number of the last revocation.', status.revocationSeq),
    gauge('macaroond_orgs', 'Organisations.', status.orgs),
    stateGauge(
      'macaroond_writes',
      'State of writes: open, or the reason why they are not taken.',
      WRITES_STATES,
      status.writes,
    ),
    gauge('macaroond_segment_log_bytes', 'Size of the log of segments.', status.log.bytes),
    gauge('macaroond_disk_full', '1 while only revocations are written.', status.disk.full),
    gauge('macaroond_disk_reserve_bytes', 'Bytes reserved for revocations on a full disk.', status.disk.reserveBytes),
    gauge('macaroond_disk_reserve_left_bytes', 'Bytes of the reserve that are left.', status.disk.leftBytes),
    gauge('macaroond_wal_frames', 'Pages in the WAL that wait for a checkpoint.', status.walFrames),
    linesDropped(status.linesDropped),
  ]
}

function freshnessMetrics({ freshness }: PrimaryStatus): readonly Metric[] {
  const { boundMs, leaseMs, settled, clockDoubt } = freshness
  return [
    gauge(
      'macaroond_revocation_bound_seconds',
      'The bound within which a revocation binds everywhere.',
      boundMs / 1000,
    ),
    gauge('macaroond_lease_seconds', 'Length of the freshness leases that are granted.', leaseMs / 1000),
    gauge(
      'macaroond_epoch_settled',
      '1 once every replica has joined the epoch, so that revocations are acknowledged.',
      settled,
    ),
    gauge('macaroond_clock_credible', '0 while this node doubts its clock.', clockDoubt === null),
  ]
}

function durabilityMetrics({ durability }: PrimaryStatus): readonly Metric[] {
  const { revocations, degradedSinceMs, degradedAnswers } = durability
  const help = 'Durability that the primary waits for before it acknowledges a revocation.'
  return [
    stateGauge('macaroond_durability', help, DURABILITY_LEVELS, revocations),
    gauge(
      'macaroond_durability_degraded',
      '1 while revocations are acknowledged with lower durability.',
      degradedSinceMs !== null,
    ),
    counter(
      'macaroond_durability_degraded_answers_total',
      'Revocations acknowledged with lower durability.',
      degradedAnswers,
    ),
  ]
}

function replicaMetrics(replicas: readonly ReplicaLink[]): readonly Metric[] {
  const ofEach = (valueOf: (replica: ReplicaLink) => number | boolean | null): readonly Sample[] =>
    samplesOfEach(replicas, ({ name, region }) => ({ replica: name, region: region ?? '' }), valueOf)
  const connected = ofEach(({ wal, revocations }) => wal && revocations)
  const lag = ofEach((replica) => replica.lag)
  const seq = ofEach(({ revocationSeq }) => revocationSeq)
  return [
    gauges('macaroond_replica_connected', '1 while both channels of a replica are open.', connected),
    gauges('macaroond_replica_lag_transactions', 'Transactions that a replica has not acknowledged.', lag),
    gauges('macaroond_replica_revocation_seq', 'Number of the last revocation that a replica has acknowledged.', seq),
  ]
}

function archiveMetrics(destinations: readonly DestinationStatus[]): readonly Metric[] {
  const ofEach = (valueOf: (destination: DestinationStatus) => number | boolean | null): readonly Sample[] =>
    samplesOfEach(destinations, ({ location }) => ({ archive: location }), valueOf)
  const alerts = ofEach((it) => it.alerts.length)
  const drilled = ofEach(({ lastDrill }) => (lastDrill === null ? null : lastDrill.atMs / 1000))
  const passed = ofEach(({ lastDrill }) => lastDrill?.ok ?? null)
  return [
    gauges(
      'macaroond_archive_lag_transactions',
      'Transactions that wait for the archive.',
      ofEach(({ lag }) => lag),
    ),
    gauges(
      'macaroond_archive_lag_seconds',
      'Seconds that the oldest transaction has waited for the archive.',
      ofEach(({ lagMs }) => lagMs / 1000),
    ),
    gauges(
      'macaroond_archive_files',
      'Files in the archive.',
      ofEach(({ files }) => files),
    ),
    gauges(
      'macaroond_archive_bytes',
      'Bytes in the archive.',
      ofEach(({ bytes }) => bytes),
    ),
    gauges('macaroond_archive_alerts', 'Alerts of the archive; `status` lists them.', alerts),
    gauges('macaroond_archive_drill_timestamp_seconds', 'Time of the last restore drill.', drilled),
    gauges('macaroond_archive_drill_ok', '1 if the last restore drill succeeded.', passed),
    gauges(
      'macaroond_archive_job_timestamp_seconds',
      'Time when a job last succeeded.',
      destinations.flatMap(jobSamples),
    ),
  ]
}

function jobSamples({ location, jobs }: DestinationStatus): readonly Sample[] {
  return samplesOfEach(
    jobs,
    ({ job }) => ({ archive: location, job }),
    ({ doneAtMs }) => (doneAtMs === null ? null : doneAtMs / 1000),
  )
}
