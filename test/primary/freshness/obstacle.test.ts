import { expect, test } from 'vitest'
import { forbidsLeases, type Obstacle, type ObstacleEvent, stepObstacle } from '../../../primary/freshness/obstacle.ts'

const BOUND_MS = 5_100

function after(events: readonly (readonly [atMs: number, event: ObstacleEvent])[]): Obstacle | undefined {
  return events.reduce<Obstacle | undefined>((state, [atMs, event]) => stepObstacle(state, event, atMs), undefined)
}

test('a revocation that could not be written ends leases at once, until one can', () => {
  const failed = after([[1_000, { kind: 'failed', message: 'full' }]])
  expect(forbidsLeases(failed, 1_000, BOUND_MS)).toBe(true)
  expect(forbidsLeases(stepObstacle(failed, { kind: 'taken' }, 2_000), 2_000, BOUND_MS)).toBe(false)
})

test('a foreign write lock ends leases once it lasted longer than the bound', () => {
  const locked = after([
    [0, { kind: 'locked' }],
    [5_000, { kind: 'locked' }],
  ])
  expect([BOUND_MS, BOUND_MS + 1].map((nowMs) => forbidsLeases(locked, nowMs, BOUND_MS))).toEqual([false, true])
})

test('a lock that comes and goes is counted anew, and one behind a failure changes nothing', () => {
  const again = after([
    [0, { kind: 'locked' }],
    [5_000, { kind: 'taken' }],
    [5_100, { kind: 'locked' }],
  ])
  expect(forbidsLeases(again, 6_000, BOUND_MS)).toBe(false)
  const failed = after([
    [0, { kind: 'failed', message: 'full' }],
    [1, { kind: 'locked' }],
  ])
  expect(failed).toMatchObject({ kind: 'storage', sinceMs: 0 })
})

test('without an obstacle leases continue', () => {
  expect(forbidsLeases(undefined, 1e9, BOUND_MS)).toBe(false)
})
