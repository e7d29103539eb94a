/**
 * Decides if two subjects resemble each other, by spelling or by appearance. A revocation compares subjects byte by byte, and
 * a person types them, so a revocation with a typing error or a look-alike letter would revoke nothing, and nobody would
 * notice.
 */
import { editDistance } from '../../shared/suggest.ts'

const DISTANCE_MAX = 2
const SHORT_CHARS = 4
/** Longer subjects are compared by looks only, because the edit distance costs the product of the lengths. */
const COMPARED_CHARS_MAX = 64

/** Letters of other scripts, and digits, that look like the Latin letter at the same index of `LATIN`. */
const ALIKE = [
  'аαɑ',
  'с',
  'ԁ',
  'еε',
  'һ',
  'іιı1l|',
  'ј',
  'κ',
  'ո',
  'оοօ0',
  'рρ',
  'ѕ',
  'тτ',
  'υս',
  'ѵν',
  'ԝω',
  'хχ',
  'у',
]
const LATIN = 'acdehijknopstuvwxy'
const LOOKS: ReadonlyMap<string, string> = new Map(
  ALIKE.flatMap((letters, at) => Array.from(letters, (letter) => [letter, LATIN[at] ?? letter] as const)),
)

/** A normal form that is equal for subjects that look alike. */
export function looksOf(subject: string): string {
  const seen = subject
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\p{Cc}\p{Cf}\p{Mn}\s]/gu, '')
  return Array.from(seen, (letter) => LOOKS.get(letter) ?? letter).join('')
}

/** True if the two are different by no more than a typing error. */
export function isNear(a: string, b: string): boolean {
  if (Math.max(a.length, b.length) > COMPARED_CHARS_MAX || Math.abs(a.length - b.length) > DISTANCE_MAX) return false
  const distanceMax = a.length <= SHORT_CHARS ? 1 : DISTANCE_MAX
  return editDistance(a, b, distanceMax) <= distanceMax
}
