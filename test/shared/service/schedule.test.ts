import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { silentLog } from '../../../shared/log.ts'
import { type Job, nextRuns, scheduleJob, whileBelieved } from '../../../shared/service/schedule.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const START = Date.parse('2026-12-01T02:00:00Z')

/** Date, timers and the monotonic clock are vitest's; the scheduler is the real one. */
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout', 'performance'], now: START })
})
afterEach(() => {
  vi.useRealTimers()
})

/** When it ran, by the wall clock. */
function scheduled(job: Partial<Job> = {}): { readonly ran: readonly string[]; readonly stop: () => void } {
  const ran: string[] = []
  const run = (): Promise<void> => {
    ran.push(new Date().toISOString())
    return Promise.resolve()
  }
  return { ran, stop: scheduleJob({ name: 'scrub', at: '17 3 * * *', run, ...job }, silentLog) }
}

/** The wall clock alone. */
function jump(byMs: number): void {
  vi.setSystemTime(Date.now() + byMs)
}

const passes = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

test('an invalid cron expression, or one that fits no time, is refused with its job’s name', () => {
  for (const at of ['', 'daily', '61 * * * *', '* * * *', '* * * * * * *', '0 0 31 2 *']) {
    expect(() => scheduled({ at })).toThrow(
      expect.objectContaining({ code: 'config_invalid', message: expect.stringContaining('scrub') as string }),
    )
  }
})

test('a daily job runs once a day in UTC, whatever the zone of the machine does', async () => {
  for (const [zone, at, from] of [
    ['America/New_York', '30 5 * * *', '2026-10-31T00:00:00Z'],
    ['Africa/Cairo', '0 22 * * *', '2026-04-22T00:00:00Z'],
    ['Europe/Helsinki', '17 1 * * *', '2026-03-27T00:00:00Z'],
  ] as const) {
    vi.stubEnv('TZ', zone)
    vi.setSystemTime(Date.parse(from))
    const { ran, stop } = scheduled({ at })
    await passes(4 * DAY)
    stop()
    const times = ran.map((time) => Date.parse(time))
    expect(times.length).toBe(4)
    expect(times.slice(1).map((time, i) => time - (times[i] ?? 0))).toEqual([DAY, DAY, DAY])
  }
  vi.unstubAllEnvs()
})

test('an hourly job runs in every hour of a night with 25 hours', async () => {
  vi.stubEnv('TZ', 'America/New_York')
  vi.setSystemTime(Date.parse('2026-11-01T03:30:00Z'))
  const { ran, stop } = scheduled({ at: '0 * * * *' })
  await passes(6 * HOUR)
  stop()
  vi.unstubAllEnvs()
  expect(ran.length).toBe(6)
})

describe('a clock that jumps', () => {
  test.each([
    ['392 days ahead', 392 * DAY],
    ['from 1970', 56 * 365 * DAY],
    ['to 2100', 74 * 365 * DAY],
  ])('%s makes a missed job run once, at no cost', async (_, byMs) => {
    if (byMs === 56 * 365 * DAY) vi.setSystemTime(10 * SECOND)
    const { ran, stop } = scheduled({ at: '*/30 * * * * *' })
    await passes(1 * SECOND)
    expect(ran.length).toBe(0)
    const before = process.cpuUsage()
    jump(byMs)
    await passes(29 * SECOND + 999)
    expect(ran.length).toBe(1)
    const { user } = process.cpuUsage(before)
    expect(user).toBeLessThan(1_000_000)
    await passes(5 * MINUTE)
    stop()
    expect(ran.length).toBe(11)
  })

  test('back from 2100 runs again by the time that is right', async () => {
    vi.setSystemTime(Date.parse('2100-06-01T00:00:00Z'))
    const { ran, stop } = scheduled()
    await passes(HOUR)
    vi.setSystemTime(Date.parse('2026-12-01T01:00:00Z'))
    await passes(3 * HOUR)
    stop()
    expect(ran).toEqual(['2026-12-01T03:17:00.000Z'])
  })

  test('back over a moment does not run again what has just run', async () => {
    const { ran, stop } = scheduled()
    await passes(2 * HOUR)
    jump(-90 * MINUTE)
    await passes(6 * HOUR)
    expect(ran).toEqual(['2026-12-01T03:17:00.000Z'])
    await passes(DAY)
    stop()
    expect(ran[1]).toBe('2026-12-02T03:17:00.000Z')
  })

  test('to and fro over a moment runs it once', async () => {
    vi.setSystemTime(Date.parse('2026-12-01T03:16:30Z'))
    const { ran, stop } = scheduled()
    for (let n = 0; n < 20; n += 1) {
      jump(n % 2 === 0 ? 2 * HOUR : -2 * HOUR)
      await passes(MINUTE)
    }
    stop()
    expect(ran.length).toBe(1)
  })
})

test('while the time is in doubt nothing runs; what was due then runs once', async () => {
  let believed = false
  const ran: number[] = []
  const run = (): Promise<void> => Promise.resolve(void ran.push(Date.now()))
  const stop = whileBelieved(scheduleJob, () => believed)({ name: 'purge', at: '*/5 * * * *', run }, silentLog)
  await passes(HOUR)
  expect(ran.length).toBe(0)
  believed = true
  await passes(10 * SECOND)
  stop()
  expect(ran.length).toBe(1)
})

test('a job that fails is run again, and one that still runs is not started twice', async () => {
  let failures = 0
  const failing = (): Promise<void> => {
    failures += 1
    return Promise.reject(new Error('it fails'))
  }
  let runs = 0
  const endless = (): Promise<void> => {
    runs += 1
    return new Promise(() => undefined)
  }
  const stops = [failing, endless].map((run) => scheduled({ at: '* * * * * *', run }).stop)
  await passes(5 * SECOND)
  for (const stop of stops) stop()
  expect([failures, runs]).toEqual([5, 1])
})

test('jitter delays a job by less than its limit, and a job that was stopped does not run', async () => {
  const jittered = scheduled({ at: '* * * * *', jitterMs: 10 * SECOND })
  await passes(MINUTE + 10 * SECOND)
  expect(jittered.ran.length).toBe(1)
  jittered.stop()
  await passes(HOUR)
  expect(jittered.ran.length).toBe(1)
})

test('the next run of an expression is a moment in UTC', () => {
  expect(nextRuns('17 3 * * *', 1)).toEqual([Date.parse('2026-12-01T03:17:00Z')])
})
