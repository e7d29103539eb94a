/** Folding a path costs work in proportion to its length, and decides as folding the whole text at once would. */
import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { ACCESS_VALUE_CHARS_MAX } from '../../../../shared/limits.ts'
import { isPlainPath } from '../../../../shared/macaroon/predicate/path.ts'
import { isPlainByModel } from './plain-path-model.ts'

/** Eight runs of combining marks. NFKD sorts them by their classes, and moves each mark past all marks before it. */
const MARKS = `/${['\u0345', '\u035d', '\u035c', '\u0315', '\u0301', '\u0323', '\u0321', '\u0334'].map((mark) => mark.repeat(511)).join('')}`
/** Each letter decomposes into eighteen characters. */
const LIGATURES = `/${'\ufdfa'.repeat(ACCESS_VALUE_CHARS_MAX - 1)}`
const ENCODED = `/${'\ufdfa%25252525252541'.repeat(255)}`

const ESCAPES_AND_SIGNS =
  '. .. / % 2 e a x u + ; ? # \\ %2e %25 %c0 %ae %c3%a9 %ef%bc%8e %e2%80%a4 %e3%80%80 %00'.split(' ')
const FOLDED = Array.from(
  'ÀÁ®¯¥é\u0301\u0323\u0334\u0345\u2024\u2025\uff0e\uff0f\uff05\uff12\uff45\u2100\u2488\ufdfa\u{1f100}',
)
/** Characters that are dropped, white space, and half of a pair. */
const DROPPED = Array.from('\u200b\u00ad\u034f\ufeff\u115f\u{e0001}\u{1d159} \u3000\u2028\u1680\u0085\ud800')

afterEach(() => void vi.restoreAllMocks())

/** The texts that were normalised while this path was judged. */
function normalisedFor(path: string): readonly string[] {
  const normalise = vi.spyOn(String.prototype, 'normalize')
  isPlainPath(path)
  return normalise.mock.contexts.map(String)
}

describe('folding a path', () => {
  test.each([
    ['combining marks', MARKS],
    ['letters that decompose', LIGATURES],
    ['letters between escapes', ENCODED],
  ])('never sorts more than a few characters at a time: %s', (_, path) => {
    const texts = normalisedFor(path)
    expect(Math.max(...texts.map((text) => text.length))).toBeLessThanOrEqual(32)
    // Each character once: what has been folded is ASCII afterwards.
    expect(texts.reduce((sum, text) => sum + text.length, 0)).toBeLessThanOrEqual(path.length)
  })

  test('decides as folding the whole text at once', () => {
    const pieces = fc.constantFrom(...ESCAPES_AND_SIGNS, ...FOLDED, ...DROPPED)
    const piece = fc.oneof({ weight: 9, arbitrary: pieces }, fc.string({ unit: 'binary', maxLength: 2 }))
    let plain = 0
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 14 }), (list) => {
        const path = `/${list.join('')}`
        expect(isPlainPath(path)).toBe(isPlainByModel(path))
        if (isPlainPath(path)) plain += 1
      }),
      { numRuns: 10_000 },
    )
    expect(plain).toBeGreaterThan(500)
  })
})
