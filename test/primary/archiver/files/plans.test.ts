/** The pure plans: which files are merged, which may go. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { planCompaction } from '../../../../primary/archiver/files/compaction-plan.ts'
import { planRetention, type RetentionRules } from '../../../../primary/archiver/files/retention-plan.ts'
import { chainTo } from '../../../../shared/archive/chain.ts'
import type { ArchivedFile } from '../../../../shared/archive/layout.ts'
import type { Txid } from '../../../../shared/ids.ts'
import { archivedFile as file, archivedSingles as singles } from '../../../shared/archive/archived-file.ts'

describe('merging', () => {
  test('takes runs without a gap, of one epoch, that the level above does not cover', () => {
    const files = [...singles(1, 4), file(1, 1, 2), ...singles(7, 8), file(0, 9, 9, 2), file(0, 10, 10, 2)]
    const runs = planCompaction(files, 1).map((run) => run.map(({ minTxid }) => Number(minTxid)))
    expect(runs).toEqual([
      [3, 4],
      [7, 8],
      [9, 10],
    ])
  })

  test('has nothing to do where everything is covered', () => {
    expect(planCompaction([...singles(1, 4), file(1, 1, 4)], 1)).toEqual([])
  })
})

describe('retention', () => {
  const NEVER = Number.MAX_SAFE_INTEGER
  const rules: RetentionRules = { windowMs: 50_000, keepMs: 100_000, filesMax: NEVER, bytesMax: NEVER }
  const kept = (files: readonly ArchivedFile[], changed: Partial<RetentionRules>, nowMs: number): ArchivedFile[] => {
    const gone = new Set(planRetention(files, { ...rules, ...changed }, nowMs).remove)
    return files.filter((one) => !gone.has(one))
  }
  /** 200 transactions, merged by tens and hundreds, snapshots at 1, 60 and 120. */
  const history = [
    ...singles(1, 200),
    ...Array.from({ length: 20 }, (_, index) => file(1, index * 10 + 1, index * 10 + 10)),
    ...[1, 60, 120].map((at) => file(9, 1, at)),
  ]

  test('keeps each transaction of the window restorable, and everything older in some grain', () => {
    fc.assert(
      fc.property(fc.integer({ min: 150_000, max: 400_000 }), (nowMs) => {
        const files = kept(history, {}, nowMs)
        for (let at = 1; at <= 200; at += 1) {
          const exact = at * 1_000 >= nowMs - 50_000
          if (exact) expect(chainTo(files, at as Txid)?.reaches, `${at} at ${nowMs}`).toBe(at)
        }
        for (let at = 10; at <= 200; at += 10) {
          if (at * 1_000 >= nowMs - 100_000) expect(chainTo(files, at as Txid)?.reaches, `${at} at ${nowMs}`).toBe(at)
        }
        expect(chainTo(files, 200 as Txid)?.reaches).toBe(200)
      }),
    )
  })

  test('lets go what is below the newest snapshot that is too old', () => {
    const files = kept(history, {}, 230_000)
    expect(files.some(({ minTxid, maxTxid }) => minTxid > 1 && maxTxid <= 120)).toBe(false)
    expect(files.filter(({ level }) => level === 9).map(({ maxTxid }) => maxTxid)).toEqual([120])
  })

  test('deletes nothing from a young archive, with a snapshot or without one', () => {
    expect(kept(history, {}, 45_000)).toHaveLength(history.length)
    expect(kept(singles(1, 50), {}, 1e12)).toHaveLength(50)
  })

  test('counts no file as older than the one before it, whatever a clock set back stamped on it', () => {
    const files = [...singles(1, 100), file(1, 1, 100), { ...file(9, 1, 60), timestampMs: 5 }]
    expect(kept(files, {}, 130_000)).toHaveLength(files.length)
  })

  test('above the cap merges the oldest early, in whole merged files, and says how many', () => {
    const plan = planRetention(history, { ...rules, filesMax: 195 }, 45_000)
    expect(plan.early).toBe(10)
    expect(plan.remove.map(({ minTxid }) => Number(minTxid))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(planRetention(history, { ...rules, bytesMax: 19_500 }, 45_000).early).toBe(10)
    expect(planRetention(singles(1, 50), { ...rules, filesMax: 10 }, 45_000).early).toBe(0)
  })

  test('keeps to the cap although a merged file in the middle was lost, and keeps what it covered', () => {
    const lost = history.filter(({ level, minTxid }) => level !== 1 || minTxid !== 11)
    const { remove, early } = planRetention(lost, { ...rules, filesMax: 100 }, 45_000)
    expect(early).toBe(100)
    expect(remove.some(({ minTxid }) => minTxid > 10 && minTxid <= 20)).toBe(false)
    const left = lost.filter((one) => !remove.includes(one))
    for (let at = 10; at <= 200; at += 10) expect(chainTo(left, at as Txid)?.reaches, `${at}`).toBe(at)
  })
})
