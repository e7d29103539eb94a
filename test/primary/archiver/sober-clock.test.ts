import { expect, test } from 'vitest'
import { SoberClock } from '../../../primary/archiver/sober-clock.ts'
import { CLOCK_JUMP_MS_MAX } from '../../../shared/limits.ts'

const YEAR_MS = 365 * 86_400_000

function clocks(): {
  readonly sober: SoberClock
  readonly go: (ms: number) => void
  readonly set: (ms: number) => void
} {
  let [wall, monotonic] = [1_000_000_000_000, 0]
  const sober = new SoberClock({ wallMs: () => wall, monotonicMs: () => monotonic })
  return {
    sober,
    go: (ms) => {
      wall += ms
      monotonic += ms
    },
    set: (ms) => (wall += ms),
  }
}

test('a correct clock is believed, a jump ahead up to a minute, a step back at once', () => {
  const { sober, go, set } = clocks()
  sober.learn(999_999_999_000)
  expect(sober.nowMs()).toBe(1_000_000_000_000)
  go(3_600_000)
  expect(sober.nowMs()).toBe(1_000_003_600_000)
  set(YEAR_MS)
  expect(sober.nowMs()).toBe(1_000_003_599_000 + CLOCK_JUMP_MS_MAX)
  set(-2 * YEAR_MS)
  expect(sober.nowMs()).toBe(1_000_003_600_000 - YEAR_MS)
})

test('a start with a clock that is years ahead does not make what the archive holds old', () => {
  const { sober, set } = clocks()
  set(5 * YEAR_MS)
  sober.learn(1_000_000_000_000)
  sober.learn(undefined)
  expect(sober.nowMs()).toBe(1_000_000_000_000 + CLOCK_JUMP_MS_MAX)
})
