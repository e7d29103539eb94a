import { expect, test } from 'vitest'
import { primaryMetrics } from '../../primary/metrics.ts'
import type { Metric } from '../../shared/metrics/metric.ts'
import type { DestinationStatus, PrimaryStatus } from '../../shared/protocol/status.ts'

const ARCHIVE: DestinationStatus = {
  location: '/archive',
  position: null,
  lag: 3,
  lagMs: 1_500,
  files: 7,
  bytes: 4_096,
  lastDrill: null,
  jobs: [
    { job: 'snapshot', doneAtMs: 2_000 },
    { job: 'retention', doneAtMs: null },
  ],
  alerts: ['the archive stands still'],
}

const STATUS: PrimaryStatus = {
  role: 'primary',
  cluster: 'prod',
  pid: 1,
  version: '0.1.0',
  uptimeSeconds: 9,
  position: '2.000000000000001f.0123456789abcdef',
  timeline: 'aa',
  writes: 'open',
  alarms: [],
  linesDropped: { stdout: 0, stderr: 7 },
  revocationSeq: 12,
  orgs: 2,
  freshness: { boundMs: 5_101, leaseMs: 5_000, settled: true, clockDoubt: null },
  durability: { revocations: 'replica', degraded: true, degradedSinceMs: null, degradedAnswers: 4 },
  log: { first: 1, last: 31, bytes: 900 },
  walFrames: 5,
  disk: { full: false, reserveBytes: 16_000_000, leftBytes: 16_000_000 },
  authorityKey: '00',
  archive: null,
  replicas: [],
}

function valueOf(metrics: readonly Metric[], name: string, labels: Readonly<Record<string, string>> = {}): unknown {
  const samples = metrics.find((metric) => metric.name === name)?.samples ?? []
  const wanted = Object.entries(labels)
  return samples.find((sample) => wanted.every(([key, value]) => sample.labels?.[key] === value))?.value
}

test('the bound and the lease are exported in seconds', () => {
  const metrics = primaryMetrics(STATUS)
  expect(valueOf(metrics, 'macaroond_revocation_bound_seconds')).toBe(5.101)
  expect(valueOf(metrics, 'macaroond_lease_seconds')).toBe(5)
  expect(valueOf(metrics, 'macaroond_txid')).toBe(31)
  expect(valueOf(metrics, 'macaroond_epoch')).toBe(2)
})

test('degraded durability is a metric of its own, and so is each reason why writes are not taken', () => {
  const calm = primaryMetrics(STATUS)
  expect(valueOf(calm, 'macaroond_durability_degraded')).toBe(0)
  expect(valueOf(calm, 'macaroond_durability_degraded_answers_total')).toBe(4)
  const durability = { ...STATUS.durability, degradedSinceMs: 1 }
  const hit = primaryMetrics({ ...STATUS, durability, writes: 'disk full' })
  expect(valueOf(hit, 'macaroond_durability_degraded')).toBe(1)
  expect(valueOf(hit, 'macaroond_writes', { state: 'disk full' })).toBe(1)
  expect(valueOf(hit, 'macaroond_writes', { state: 'open' })).toBe(0)
})

test('a replica that has acknowledged nothing has no lag, which is not a lag of none', () => {
  const link = { peerId: '12D3', wal: true, acknowledged: null, lag: null, revocationSeq: null }
  const away = { ...link, name: 'fra-1', region: 'fra', revocations: false }
  const here = { ...link, name: 'sin-1', region: null, revocations: true, lag: 0, revocationSeq: 12 }
  const metrics = primaryMetrics({ ...STATUS, replicas: [away, here] })
  expect(valueOf(metrics, 'macaroond_replica_connected', { replica: 'fra-1', region: 'fra' })).toBe(0)
  expect(valueOf(metrics, 'macaroond_replica_lag_transactions', { replica: 'fra-1' })).toBeUndefined()
  expect(valueOf(metrics, 'macaroond_replica_connected', { replica: 'sin-1', region: '' })).toBe(1)
  expect(valueOf(metrics, 'macaroond_replica_lag_transactions', { replica: 'sin-1' })).toBe(0)
})

test('every archive has its lag, its alerts, its jobs, and a drill once there was one', () => {
  const drilled = { ...ARCHIVE, location: '/copy', lastDrill: { atMs: 3_000, ok: false, txid: null, error: 'damaged' } }
  const metrics = primaryMetrics({ ...STATUS, archive: { ...ARCHIVE, copies: [drilled] } })
  const of = (name: string, labels: Readonly<Record<string, string>>): unknown =>
    valueOf(metrics, `macaroond_archive_${name}`, labels)
  expect(of('lag_seconds', { archive: '/archive' })).toBe(1.5)
  expect(of('alerts', { archive: '/archive' })).toBe(1)
  expect(of('job_timestamp_seconds', { archive: '/archive', job: 'snapshot' })).toBe(2)
  expect(of('job_timestamp_seconds', { archive: '/archive', job: 'retention' })).toBeUndefined()
  expect(of('drill_ok', { archive: '/archive' })).toBeUndefined()
  expect(of('drill_ok', { archive: '/copy' })).toBe(0)
  expect(of('drill_timestamp_seconds', { archive: '/copy' })).toBe(3)
  expect(valueOf(primaryMetrics(STATUS), 'macaroond_archive_lag_seconds')).toBeUndefined()
})
