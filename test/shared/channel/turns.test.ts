import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { systemClock } from '../../../shared/clock.ts'
import { Turns } from '../../../shared/channel/turns.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function turns() {
  const startMs = Date.now()
  const nowMs = (): number => Date.now() - startMs
  const all = new Turns({ perSecond: 100, atOnce: 3, clock: { ...systemClock, monotonicMs: nowMs } })
  const came: string[] = []
  const come = (who: string, address: string = who): AbortController => {
    const controller = new AbortController()
    all.turn(address, controller.signal).then(
      () => came.push(`${who} ${nowMs()}`),
      (error: Error) => came.push(`${who} ${error.message}`),
    )
    return controller
  }
  return { come, came }
}

test('a few together do not wait, the next ones follow at the pace', async () => {
  const { come, came } = turns()
  for (const who of ['a', 'b', 'c', 'd', 'e']) come(who)
  await vi.advanceTimersByTimeAsync(0)
  expect(came).toEqual(['a 0', 'b 0', 'c 0'])
  await vi.advanceTimersByTimeAsync(1_000)
  expect(came.slice(3)).toEqual(['d 10', 'e 20'])
  for (const who of ['f', 'g', 'h', 'i']) come(who)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(came.slice(5)).toEqual(['f 1000', 'g 1000', 'h 1000', 'i 1010'])
})

test('a storm from one address delays another one by one turn', async () => {
  const { come, came } = turns()
  for (let count = 0; count < 50; count += 1) come(`storm ${count}`, 'storm')
  come('other')
  await vi.advanceTimersByTimeAsync(1_000)
  expect(came.indexOf('other 20')).toBe(4)
  expect(came).toHaveLength(51)
})

test('a caller that gives up takes no turn', async () => {
  const { come, came } = turns()
  for (const who of ['a', 'b', 'c']) come(who)
  for (let count = 0; count < 50; count += 1) come('gone').abort(new Error('gave up'))
  come('last')
  await vi.advanceTimersByTimeAsync(1_000)
  expect(came.at(-1)).toBe('last 10')
  expect(came.filter((text) => text === 'gone gave up')).toHaveLength(50)
})
