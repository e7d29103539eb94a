/** The pure plans: which files a restore reads, and to which states it can go. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chainTo } from '../../../shared/archive/chain.ts'
import type { ArchivedFile } from '../../../shared/archive/layout.ts'
import { planRestore } from '../../../shared/archive/restore-plan.ts'
import { txid, type Txid } from '../../../shared/ids.ts'
import { archivedFile as file, archivedSingles as singles } from './archived-file.ts'

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
      /cannot be restored.*nearest before it is transaction 0000000000000008/,
    )
    expect(told({ kind: 'txid', txid: txid(2) })).toMatch(available)
    expect(told({ kind: 'time', atMs: 2_000 })).toMatch(/begins after/)
    expect(told({ kind: 'time', atMs: 40_000 })).toMatch(/in the future/)
    expect(told({ kind: 'time', atMs: 13_500 })).toMatch(/cannot be restored/)
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
