/** The pure plans: which files a restore reads, which are merged, which may go. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chainTo } from '../../../shared/archive/chain.ts'
import { planCompaction } from '../../../shared/archive/compaction-plan.ts'
import { type ArchivedFile, segmentKey } from '../../../shared/archive/layout.ts'
import { planRestore } from '../../../shared/archive/restore-plan.ts'
import { planRetention, type RetentionRules } from '../../../shared/archive/retention-plan.ts'
import { epoch, txid, type Txid } from '../../../shared/ids.ts'

/** Transaction n was committed at n seconds. */
function file(level: number, min: number, max: number, of: number = 1): ArchivedFile {
  const range = { minTxid: txid(min), maxTxid: txid(max) }
  const common = { bytes: 100, sha256: 'a'.repeat(64), epoch: epoch(of), postApply: undefined }
  return { ...range, ...common, key: segmentKey(level, range), level, timestampMs: max * 1_000 }
}

const singles = (from: number, to: number): ArchivedFile[] =>
  Array.from({ length: to - from + 1 }, (_, index) => file(0, from + index, from + index))

/** Fewest files by trying every possibility. */
function fewest(files: readonly ArchivedFile[], target: number): number | undefined {
  let reached = new Map<number, number>()
  for (const { minTxid, maxTxid } of files) if (minTxid === 1 && maxTxid <= target) reached.set(maxTxid, 1)
  for (let more = true; more;) {
    more = false
    const next = new Map(reached)
    for (const [at, count] of reached) {
      for (const { minTxid, maxTxid } of files) {
        if (minTxid > at + 1 || maxTxid <= at || maxTxid > target) continue
        if ((next.get(maxTxid) ?? Infinity) <= count + 1) continue
        next.set(maxTxid, count + 1)
        more = true
      }
    }
    reached = next
  }
  return reached.get(target)
}

const filesArbitrary = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 20 }), fc.integer({ min: 0, max: 6 })), {
    minLength: 1,
    maxLength: 25,
  })
  .map((drawn) => drawn.map(([level, min, more]) => file(level, min, min + more)))

describe('a restore', () => {
  test('finds a chain whenever one exists, without a gap, and no longer than needed from its base', () => {
    fc.assert(
      fc.property(filesArbitrary, fc.integer({ min: 1, max: 26 }), (files, target) => {
        const chain = chainTo(files, target as Txid)
        const possible = fewest(files, target)
        expect(chain?.reaches === target).toBe(possible !== undefined)
        let at = 0
        for (const [index, { minTxid, maxTxid }] of (chain?.files ?? []).entries()) {
          expect(index === 0 ? minTxid : minTxid <= at + 1 && maxTxid > at).toBe(index === 0 ? 1 : true)
          at = maxTxid
        }
        if (chain === undefined) return
        const own = files.filter((one) => one.minTxid !== 1 || one === chain.files[0])
        expect(chain.files.length).toBe(fewest(own, chain.reaches))
      }),
    )
  })

  test('to a moment takes every transaction up to and including it', () => {
    const files = [file(9, 1, 3), ...singles(4, 9)]
    expect(planRestore(files, { kind: 'time', atMs: 6_000 }, 1e9).point.txid).toBe(6)
    expect(planRestore(files, { kind: 'time', atMs: 6_999 }, 1e9).point.txid).toBe(6)
    expect(planRestore(files, { kind: 'time', atMs: 5_999 }, 1e9).point.txid).toBe(5)
    expect(planRestore(files, { kind: 'head' }, 1e9).point.txid).toBe(9)
  })

  test('says what the next state is, so that a coarse grain is seen', () => {
    const files = [file(9, 1, 3), file(1, 4, 8), file(0, 9, 9)]
    expect(planRestore(files, { kind: 'txid', txid: txid(3) }, 1e9).next).toEqual({ txid: 8, timestampMs: 8_000 })
    expect(planRestore(files, { kind: 'txid', txid: txid(8) }, 1e9).next).toEqual({ txid: 9, timestampMs: 9_000 })
    expect(planRestore(files, { kind: 'txid', txid: txid(9) }, 1e9).next).toBeUndefined()
  })

  test('says why a state cannot be had, and what can', () => {
    const files = [file(9, 1, 3), file(1, 4, 8), ...singles(12, 14), file(9, 1, 20), file(0, 21, 21)]
    const told = (target: Parameters<typeof planRestore>[1]): string => {
      try {
        return String(planRestore(files, target, 30_000).point.txid)
      } catch (error) {
        const { code, message, hint } = error as { code: string; message: string; hint: string }
        expect(code).toBe('restore_target')
        return `${message}; ${hint}`
      }
    }
    const available = /the archive has transaction 0000000000000003 of .* to transaction 0000000000000015 of /
    expect(told({ kind: 'txid', txid: txid(6) })).toMatch(/is inside a merged file/)
    expect(told({ kind: 'txid', txid: txid(13) })).toMatch(
      /cannot be reached.*nearest before it is transaction 0000000000000008/,
    )
    expect(told({ kind: 'txid', txid: txid(2) })).toMatch(available)
    expect(told({ kind: 'time', atMs: 2_000 })).toMatch(/begins after/)
    expect(told({ kind: 'time', atMs: 40_000 })).toMatch(/in the future/)
    expect(told({ kind: 'time', atMs: 13_500 })).toMatch(/cannot be reached/)
    expect(() => planRestore([], { kind: 'head' }, 1)).toThrow(/no whole database/)
  })

  test('goes through an abandoned end to the epoch after it only by that epoch’s own snapshot', () => {
    const files = [file(9, 1, 3), ...singles(4, 6), file(9, 1, 1_000, 2), file(0, 1_001, 1_001, 2)]
    expect(planRestore(files, { kind: 'txid', txid: txid(6) }, 1e9).files.map(({ maxTxid }) => maxTxid)).toEqual([
      3, 4, 5, 6,
    ])
    expect(planRestore(files, { kind: 'head' }, 1e9).files.map(({ maxTxid }) => maxTxid)).toEqual([1_000, 1_001])
  })
})

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
})
