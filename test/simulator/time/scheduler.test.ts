import { expect, test } from 'vitest'
import { MachineClock } from './machine-clock.ts'
import { Scheduler, UNOWNED } from './scheduler.ts'

const rethrow = (error: unknown): void => {
  throw error
}

test('every event comes at its time: timers before arrivals, the rest in the order requested', async () => {
  const scheduler = new Scheduler(rethrow)
  const seen: string[] = []
  const note = (what: string) => (): void => void seen.push(`${what} ${scheduler.nowMs}`)
  scheduler.at(20, UNOWNED, note('late'))
  scheduler.at(10, UNOWNED, note('first'))
  scheduler.at(10, UNOWNED, note('second'))
  scheduler.at(10, UNOWNED, note('timer'), 'timer')
  scheduler.at(15, UNOWNED, note('called off'))()
  await scheduler.runUntil(15)
  expect(seen).toEqual(['timer 10', 'first 10', 'second 10'])
  expect(scheduler.nowMs).toBe(15)
  await scheduler.runUntil(20)
  expect(seen.at(-1)).toBe('late 20')
})

test('promises that follow from a call are settled before the next one', async () => {
  const scheduler = new Scheduler(rethrow)
  const seen: string[] = []
  scheduler.at(1, UNOWNED, () => {
    void (async () => {
      for (let step = 0; step < 50; step += 1) await Promise.resolve()
      seen.push('settled')
    })()
  })
  scheduler.at(1, UNOWNED, () => seen.push('next'))
  await scheduler.runUntil(1)
  expect(seen).toEqual(['settled', 'next'])
})

test('a stopped process is called when it continues, a process that has ended never is', async () => {
  const scheduler = new Scheduler(rethrow)
  const seen: string[] = []
  scheduler.at(1, { runsFromMs: (nowMs) => Math.max(nowMs, 50) }, () => seen.push(`stopped ${scheduler.nowMs}`))
  scheduler.at(1, { runsFromMs: () => Infinity }, () => seen.push('over'))
  await scheduler.runUntil(100)
  expect(seen).toEqual(['stopped 50'])
})

test('an exception of a call is reported, and the rest goes on', async () => {
  const thrown: unknown[] = []
  const scheduler = new Scheduler((error) => thrown.push(error))
  scheduler.at(1, UNOWNED, () => rethrow(new Error('bang')))
  scheduler.at(2, UNOWNED, () => thrown.push('after'))
  await scheduler.runUntil(3)
  expect(thrown).toEqual([new Error('bang'), 'after'])
})

test('the monotonic clock of a sleeping machine stands still, and the others go on at any rate', () => {
  let nowMs = 0
  const clock = new MachineClock({ nowMs: () => nowMs, rate: 1.004, epochMs: 1e12, upMs: 1_000 })
  const before = [clock.monotonicMs(), clock.boottimeMs(), clock.wallMs()] as const
  clock.sleep(600)
  nowMs = 1_000
  expect(clock.monotonicMs() - before[0]).toBeCloseTo(400 * 1.004)
  expect(clock.boottimeMs() - before[1]).toBeCloseTo(1_004, -2)
  expect(clock.wallMs() - before[2]).toBeCloseTo(1_004, 0)
  expect(clock.trueMs(clock.monotonicMs() + 1.004)).toBeCloseTo(1_001)
  clock.move(-5_000)
  expect(clock.wallMs() - before[2]).toBeCloseTo(1_004 - 5_000, 0)
  clock.reboot()
  expect(clock.monotonicMs()).toBe(0)
})
