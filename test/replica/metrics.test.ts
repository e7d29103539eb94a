import { expect, test } from 'vitest'
import { ALARM_CODES } from '../../shared/alarms.ts'
import { replicaMetrics } from '../../replica/metrics.ts'
import type { Metric } from '../../shared/metrics/metric.ts'
import type { ReplicaStatus } from '../../shared/protocol/status.ts'

const NEW: ReplicaStatus = {
  role: 'replica',
  cluster: 'prod',
  name: '12D3',
  region: 'fra',
  pid: 1,
  version: '0.1.0',
  uptimeSeconds: 0,
  position: null,
  timeline: null,
  revocationSeq: 0,
  revocations: 0,
  keys: 0,
  freshness: { boundMs: null, leaseMs: 0, ageMs: null, clockDoubt: null },
  wal: { phase: 'connecting', error: null },
  stream: { phase: 'connecting', error: null },
  alarm: null,
  alarms: [],
  linesDropped: { stdout: 0, stderr: 7 },
  walBytes: 0,
}

function valuesOf(metrics: readonly Metric[], name: string): readonly number[] {
  return metrics.find((metric) => metric.name === name)?.samples.map(({ value }) => value) ?? []
}

test('a replica that has heard nothing exports an ended lease, and no bound, age or position', () => {
  const metrics = replicaMetrics(NEW)
  for (const name of ['macaroond_revocation_bound_seconds', 'macaroond_state_age_seconds', 'macaroond_txid']) {
    expect(valuesOf(metrics, name)).toEqual([])
  }
  expect(valuesOf(metrics, 'macaroond_lease_remaining_seconds')).toEqual([0])
  expect(valuesOf(metrics, 'macaroond_primary_connected')).toEqual([0, 0])
})

test('what is left of its lease, the age of its state and its alarm are exported, in seconds', () => {
  const connected = { phase: 'connected', error: null } as const
  const freshness = { boundMs: 5_101, leaseMs: 4_750, ageMs: 250, clockDoubt: 'jumped' }
  const position = '1.0000000000000010.0123456789abcdef'
  const alarm = {
    code: 'primary_refused',
    severity: 'critical',
    about: '',
    message: 'm',
    action: 'a',
    sinceMs: 1,
  } as const
  const metrics = replicaMetrics({ ...NEW, position, freshness, wal: connected, alarms: [alarm] })
  expect(valuesOf(metrics, 'macaroond_revocation_bound_seconds')).toEqual([5.101])
  expect(valuesOf(metrics, 'macaroond_lease_remaining_seconds')).toEqual([4.75])
  expect(valuesOf(metrics, 'macaroond_state_age_seconds')).toEqual([0.25])
  expect(valuesOf(metrics, 'macaroond_clock_credible')).toEqual([0])
  expect(valuesOf(metrics, 'macaroond_primary_connected')).toEqual([1, 0])
  const alarms = metrics.find(({ name }) => name === 'macaroond_alarm')?.samples ?? []
  expect(alarms.filter(({ value }) => value === 1)).toEqual([
    { labels: { code: 'primary_refused', severity: 'critical' }, value: 1 },
  ])
  expect(alarms.length).toBe(ALARM_CODES.length)
  expect(valuesOf(metrics, 'macaroond_txid')).toEqual([16])
})
