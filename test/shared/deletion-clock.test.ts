import { expect, test } from 'vitest'
import { DeletionClock } from '../../shared/deletion-clock.ts'
import { CLOCK_JUMP_MS_MAX } from '../../shared/limits.ts'

const YEAR_MS = 365 * 86_400_000

function clocks(): {
  readonly clock: DeletionClock
  readonly go: (ms: number) => void
  readonly set: (ms: number) => void
} {
  let [wall, monotonic] = [1_000_000_000_000, 0]
  const clock = new DeletionClock({ wallMs: () => wall, monotonicMs: () => monotonic })
  return {
    clock,
    go: (ms) => {
      wall += ms
      monotonic += ms
    },
    set: (ms) => (wall += ms),
  }
}

test('a correct clock is believed, a jump ahead up to a minute, a step back at once', () => {
  const { clock, go, set } = clocks()
  clock.startFrom(999_999_999_000)
  expect(clock.nowMs()).toBe(1_000_000_000_000)
  go(3_600_000)
  expect(clock.nowMs()).toBe(1_000_003_600_000)
  set(YEAR_MS)
  expect(clock.nowMs()).toBe(1_000_003_599_000 + CLOCK_JUMP_MS_MAX)
  set(-2 * YEAR_MS)
  expect(clock.nowMs()).toBe(1_000_003_600_000 - YEAR_MS)
})

test('a start with a clock that is years ahead does not make what the archive holds old', () => {
  const { clock, set } = clocks()
  set(5 * YEAR_MS)
  clock.startFrom(1_000_000_000_000)
  clock.startFrom(undefined)
  expect(clock.nowMs()).toBe(1_000_000_000_000 + CLOCK_JUMP_MS_MAX)
})
