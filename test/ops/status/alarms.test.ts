import { expect, test } from 'vitest'
import { alarmLines, type ReportedStatus } from '../../../ops/status/alarms.ts'
import { printable } from '../../../ops/terminal.ts'
import { ALARMS } from '../../../shared/alarms.ts'

/** The fields that say how a node is, without those that say who it is. */
function primary(of: object): ReportedStatus {
  const freshness = { boundMs: 5_101, leaseMs: 5_000, settled: true, clockDoubt: null }
  const durability = { revocations: 'replica', degraded: true, degradedSinceMs: null, degradedAnswers: 0 }
  return { role: 'primary', freshness, durability, archive: null, ...of } as unknown as ReportedStatus
}

function replica(of: object): ReportedStatus {
  const freshness = { boundMs: 5_101, leaseMs: 5_000, ageMs: 1, clockDoubt: null }
  return { role: 'replica', freshness, alarm: null, ...of } as unknown as ReportedStatus
}

test('an alarm has its code, since when it is on, and what to do; nothing in it moves the cursor', () => {
  const message = 'the disk is full: \u001b[2J\nALARM primary: another'
  const alarm = { code: 'disk_full', severity: 'critical', about: '', message, action: 'make room', sinceMs: 1_000 }
  const later = { ...alarm, code: 'made_up_later', severity: 'warning', message: 'of a newer version' }
  expect(alarmLines([{ who: 'replica fra', status: replica({ alarms: [alarm, later] }) }]).map(printable)).toEqual([
    'ALARM replica fra: the disk is full: \\u{1b}[2J\\u{a}ALARM primary: another (disk_full, since 1970-01-01T00:00:01.000Z)',
    '  do: make room',
    'warning replica fra: of a newer version (made_up_later, since 1970-01-01T00:00:01.000Z)',
    '  do: make room',
  ])
})

test('a node of 0.1.0 has no list: its fields are shown as alarms', () => {
  const archive = { alerts: ['upload fails: ENOSPC'] }
  const freshness = { boundMs: 5_101, leaseMs: 5_000, settled: false, clockDoubt: 'it jumped' }
  const lines = alarmLines([
    { who: 'primary', status: primary({ archive, freshness }) },
    { who: 'replica fra', status: replica({ alarm: 'two histories' }) },
    { who: 'replica sin', status: replica({}) },
  ])
  expect(lines.filter((line) => line.startsWith('ALARM'))).toEqual([
    `ALARM primary: ${ALARMS.epoch_unsettled.summary} (epoch_unsettled)`,
    'ALARM primary: it jumped (clock_doubt)',
    'ALARM primary: upload fails: ENOSPC (archive_failing)',
    'ALARM replica fra: two histories (primary_refused)',
  ])
})

test('a node that has the list and no alarm prints none', () => {
  expect(alarmLines([{ who: 'primary', status: primary({ alarms: [] }) }])).toEqual([])
})
