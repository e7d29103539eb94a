import { describe, expect, test } from 'vitest'
import type { Log } from '../../../shared/log.ts'
import { AlarmBoard, type Case } from '../../../shared/service/alarm-board.ts'
import { alarmMetric } from '../../../shared/service/alarm-metric.ts'
import { ALARM_CODES, ALARMS } from '../../../shared/alarms.ts'

function board(): { board: AlarmBoard; lines: string[]; pass: (ms: number) => void } {
  let nowMs = 1_000
  let tick: () => void = () => undefined
  const lines: string[] = []
  const line = (level: string) => (_: object, message: string) => void lines.push(`${level} ${message}`)
  const log = { error: line('error'), warn: line('warn'), info: line('info') } as unknown as Log
  const clock = {
    wallMs: () => nowMs,
    monotonicMs: () => nowMs,
    every: (_: number, call: () => void) => {
      tick = call
      return () => undefined
    },
  }
  const own = new AlarmBoard(clock, log)
  own.start()
  const pass = (ms: number): void => {
    nowMs += ms
    tick()
  }
  return { board: own, lines, pass }
}

describe('the board of alarms', () => {
  test('logs an alarm when it begins and when it ends, by its severity', () => {
    const { board: own, lines } = board()
    own.set('disk_full', 'no checkpoint')
    own.set('disk_full', 'no checkpoint')
    own.set('log_damaged', '')
    own.set('disk_full', undefined)
    own.set('disk_full', undefined)
    expect(lines).toEqual([
      'error the disk is full: no checkpoint',
      `warn ${ALARMS.log_damaged.summary}`,
      'info ended: the disk is full: no checkpoint',
    ])
  })

  test('lists the critical ones first, and the oldest of them first', () => {
    const { board: own, pass } = board()
    own.set('log_damaged', '')
    pass(1)
    own.set('disk_full', '')
    pass(1)
    own.set('copy_damaged', '')
    expect(own.list.map(({ code }) => code)).toEqual(['disk_full', 'copy_damaged', 'log_damaged'])
  })

  test('has one alarm for each thing that it is about', () => {
    const { board: own, lines } = board()
    let cases: readonly Case[] = [
      ['fra', 'is ahead'],
      ['sin', 'is elsewhere'],
    ]
    own.watchEach('replica_refused', () => cases)
    expect(own.list.map(({ about }) => about)).toEqual(['fra', 'sin'])
    cases = [['sin', 'is elsewhere']]
    expect(own.list.map(({ about }) => about)).toEqual(['sin'])
    expect(lines.at(-1)).toBe(`info ended: ${ALARMS.replica_refused.summary}: fra: is ahead`)
  })

  test('a condition that comes and goes while nodes start is no alarm', () => {
    const { board: own, lines, pass } = board()
    let detail: string | undefined = ''
    own.watch('lease_ran_out', () => detail)
    pass(5_000)
    detail = undefined
    pass(5_000)
    expect([own.list, lines]).toEqual([[], []])
    detail = ''
    pass(5_000)
    pass(10_000)
    expect(own.list).toMatchObject([{ code: 'lease_ran_out', sinceMs: 16_000 }])
    expect(lines).toEqual([`error ${ALARMS.lease_ran_out.summary}`])
  })

  test('details that change all the time are logged once a minute', () => {
    const { board: own, lines, pass } = board()
    for (let count = 1; count <= 13; count += 1) {
      own.set('archive_behind', `${count} transactions`, '/archive')
      pass(5_000)
    }
    expect(own.list).toMatchObject([{ message: expect.stringContaining('/archive: 13 transactions') as string }])
    expect(lines.length).toBe(2)
  })

  test('is a metric with a series for every code', () => {
    const { board: own } = board()
    own.set('clock_doubt', 'it jumped')
    const { samples } = alarmMetric(own.list)
    expect(samples.map(({ labels }) => labels?.['code'])).toEqual(ALARM_CODES)
    expect(samples.filter(({ value }) => value === 1)).toEqual([
      { labels: { code: 'clock_doubt', severity: 'critical' }, value: 1 },
    ])
  })
})
