import { expect, test } from 'vitest'
import { CheckpointPace } from '../../../shared/sqlite/checkpoint-pace.ts'

function paceAt(): { pace: CheckpointPace; pass: (ms: number) => void } {
  let nowMs = 1_000
  const pace = new CheckpointPace(100, { monotonicMs: () => nowMs })
  return { pace, pass: (ms) => (nowMs += ms) }
}

test('a checkpoint is due at its size, and where one got through again after as much', () => {
  const { pace } = paceAt()
  expect([99, 100].map((frames) => pace.isDue(frames))).toEqual([false, true])
  pace.began(120)
  pace.ended(undefined)
  expect([130, 219, 220].map((frames) => pace.isDue(frames))).toEqual([false, false, true])
  // The WAL was begun anew.
  expect([3, 99, 100].map((frames) => pace.isDue(frames))).toEqual([false, false, true])
})

test('a blocked checkpoint is retried without new commits, and reported after a minute', () => {
  const { pace, pass } = paceAt()
  pace.began(100)
  pace.ended('reader')
  expect([pace.isOverdue(), pace.alarmDetail(100)]).toEqual([false, undefined])
  pass(10_000)
  expect([pace.isOverdue(), pace.alarmDetail(100)]).toEqual([true, undefined])
  pace.began(100)
  pace.ended('reader')
  pass(50_000)
  expect(pace.alarmDetail(200)).toBe('200 pages (1 MB), for 60 s: a program reads it')
  pace.began(200)
  pace.ended(undefined)
  expect([pace.isOverdue(), pace.alarmDetail(200)]).toEqual([false, undefined])
})

test('a WAL of eight times its size is reported at once, and this node’s own read by its name', () => {
  const { pace } = paceAt()
  pace.began(800)
  expect(pace.alarmDetail(800)).toBeUndefined()
  pace.ended('pinned')
  expect(pace.alarmDetail(799)).toBeUndefined()
  expect(pace.alarmDetail(800)).toContain('for a snapshot or a scrub')
})
