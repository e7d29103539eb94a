import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Paced } from '../../../shared/service/paced.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('a single call is done at once, and calls in the pause after it are done once at its end', () => {
  let done = 0
  const paced = new Paced(() => (done += 1), 4)
  paced.request()
  expect(done).toBe(1)
  for (let count = 0; count < 10; count += 1) paced.request()
  expect(done).toBe(1)
  vi.advanceTimersByTime(4)
  expect(done).toBe(2)
  vi.advanceTimersByTime(4)
  expect(done).toBe(2)
  paced.request()
  expect(done).toBe(3)
})

test('nothing is done any more after the end', () => {
  let done = 0
  const paced = new Paced(() => (done += 1), 4)
  paced.request()
  paced.request()
  paced.close()
  vi.advanceTimersByTime(100)
  expect(done).toBe(1)
})
