/** Parses whole numbers and inclusive ranges of them, in caveats and in accesses. */
import type { Range } from './ranges.ts'

export type Interval = Range<number>

/** No sign, no leading zero, no exponent, so a number has exactly one text. */
const INTEGER = /^(?:0|[1-9][0-9]{0,15})$/

/** A whole number from 0 to 2^53 - 1, the range in which JavaScript numbers are exact. */
export function parseInteger(text: string): number | undefined {
  if (!INTEGER.test(text)) return undefined
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : undefined
}

/** `7`, or `100..500` with both ends included. Undefined for a range whose end is below its start. */
export function parseInterval(text: string): Interval | undefined {
  const dots = text.indexOf('..')
  const low = parseInteger(dots === -1 ? text : text.slice(0, dots))
  const high = dots === -1 ? low : parseInteger(text.slice(dots + 2))
  return low === undefined || high === undefined || high < low ? undefined : { low, high }
}

/** True if the text looks like a range, even if `parseInterval` refuses it. */
export function looksLikeRange(text: string): boolean {
  return /^[0-9]+\.\.[0-9]+$/.test(text)
}
