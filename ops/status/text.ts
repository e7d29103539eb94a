/** Words and lines of `macaroond status`: times, lists, and lines folded to the width of a terminal. */
import { foldLine } from '../fold.ts'
import { printable } from '../terminal.ts'

/** The time in UTC, with its date only if that is not today. */
export function timeOfDay(ms: number, nowMs: number): string {
  const [date = '', time = ''] = new Date(ms).toISOString().split('T')
  const isToday = new Date(nowMs).toISOString().startsWith(date)
  return `${isToday ? '' : `${date} `}${time.slice(0, 8)} UTC`
}

/** `fra`, `fra and sin`, `fra, iad and sin`. */
export function asList(words: readonly string[]): string {
  const last = words.at(-1) ?? ''
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} and ${last}`
}

/** An age in the largest unit of which it has at least two. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000))
  if (seconds < 120) return `${seconds} s`
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`
}

/** Folds lines between words, so that a terminal never breaks a word. */
export function folded(lines: readonly string[], columns: number): readonly string[] {
  return lines.flatMap((line) => foldLine(printable(line), columns))
}
