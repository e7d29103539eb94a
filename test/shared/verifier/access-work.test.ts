/** V6 for the other half of a request: values of the access times caveats. Work is counted here, never timed. */
import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  ACCESS_CHARS_MAX,
  CAVEAT_BYTES_MAX,
  CAVEAT_BYTES_TOTAL_MAX,
  CAVEATS_MAX,
  COMPARISONS_MAX,
  LIST_ITEMS_MAX,
} from '../../../shared/limits.ts'
import { encodeTokenText } from '../../../shared/macaroon/text.ts'
import { bundle, discharge, needs } from './discharges.ts'
import { mint, Node, outcome } from './fixture.ts'

const node = new Node()
const listOf = <T>(length: number, make: (index: number) => T): T[] => Array.from({ length }, (_, i) => make(i))
/** Paths that are plain, and have to be folded to find that out. */
const paths = listOf(LIST_ITEMS_MAX, (i) => `/photos/é${i}`)
const underPhotos = (count: number): string[] => listOf(count, () => 'path prefix /photos/')
/** A token that needs this many discharges, each with 99 caveats on the path. */
const crowd = (count: number): string => {
  const names = listOf(count, (i) => `n${i}`)
  return bundle(needs(mint([]), ...names), ...names.map((name) => discharge(name, underPhotos(99))))
}

afterEach(() => void vi.restoreAllMocks())

describe('an access of many values', () => {
  test('is compared with every caveat of the longest token', () => {
    const { verdict, work } = node.explain(encodeTokenText(mint(underPhotos(CAVEATS_MAX))), {
      org: 'acme',
      path: paths,
    })
    expect([outcome(verdict), work.comparisons]).toEqual(['ok', CAVEATS_MAX * LIST_ITEMS_MAX])
  })

  test('has each of its paths judged once, however many caveats there are', () => {
    const folds = (caveats: number): number => {
      const normalise = vi.spyOn(String.prototype, 'normalize')
      expect(outcome(node.judge(mint(underPhotos(caveats)), { org: 'acme', path: paths }))).toBe('ok')
      return normalise.mock.calls.splice(0).length
    }
    expect([folds(1), folds(CAVEATS_MAX)]).toEqual([LIST_ITEMS_MAX, LIST_ITEMS_MAX])
  })

  test('meets no more caveats than the limit on comparisons, and the verdict says so', () => {
    const few = node.explain(crowd(2), { org: 'acme', path: paths.slice(0, 100) })
    expect([outcome(few.verdict), few.work.comparisons]).toEqual(['ok', 2 * 99 * 100])
    const { verdict, work } = node.explain(crowd(2), { org: 'acme', path: paths })
    expect(verdict).toMatchObject({
      reason: 'work_exceeded',
      message: expect.stringContaining('every value of this access'),
    })
    expect(work.comparisons).toBeLessThanOrEqual(COMPARISONS_MAX)
    expect(outcome(node.judge(crowd(2), { org: 'acme', path: paths }))).toBe('work_exceeded')
  })

  test('has a limit on its characters in all', () => {
    const value = 'x'.repeat(4096)
    const access = (count: number): object => ({ org: 'acme', op: listOf(count, () => value) })
    const fits = ACCESS_CHARS_MAX / value.length - 1
    expect(outcome(node.judge(mint([]), access(fits)))).toBe('ok')
    expect(node.judge(mint([]), access(fits + 1))).toMatchObject({
      reason: 'access_malformed',
      message: expect.stringContaining(`${ACCESS_CHARS_MAX} characters`),
    })
  })

  test('costs bounded work, whatever the bundle and the values', () => {
    const values = fc.integer({ min: 1, max: LIST_ITEMS_MAX }).map((count) => paths.slice(0, count))
    const seen = new Set<string>()
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), values, (discharges, path) => {
        const normalise = vi.spyOn(String.prototype, 'normalize')
        const { verdict, work } = node.explain(crowd(discharges), { org: 'acme', path })
        expect(work.comparisons).toBeLessThanOrEqual(COMPARISONS_MAX)
        // An explanation is two verifications.
        expect(normalise.mock.calls.splice(0).length).toBeLessThanOrEqual(2 * path.length)
        seen.add(outcome(verdict))
      }),
      { numRuns: 30 },
    )
    expect([...seen].toSorted()).toEqual(['ok', 'work_exceeded'])
  })
})

describe('caveats of many bytes', () => {
  const note = `note = ${'n'.repeat(CAVEAT_BYTES_MAX - 7)}`
  const withNotes = (count: number): string => {
    const names = listOf(count, (i) => `n${i}`)
    return bundle(needs(mint([]), ...names), ...names.map((name) => discharge(name, [note])))
  }

  test('are read up to a limit in all, and not one is compiled beyond it', () => {
    const fits = Math.floor(CAVEAT_BYTES_TOTAL_MAX / CAVEAT_BYTES_MAX)
    expect(outcome(node.judge(withNotes(fits)))).toBe('ok')
    const { verdict, checks } = node.explain(withNotes(fits + 1))
    expect(verdict).toMatchObject({ reason: 'token_too_large', message: expect.stringContaining('bytes of caveats') })
    expect(checks.at(-1)).toMatchObject({ check: 'discharges', held: false })
  })
})
