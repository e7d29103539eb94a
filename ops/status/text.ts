/** Words and lines of `macaroond status`: times, lists, and lines folded to the width of a terminal. */
import { printable } from '../terminal.ts'

/** Narrower terminals get lines of this width, and fold them themselves. */
const COLUMNS_MIN = 40

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

/**
 * Folds lines between words, so that a terminal never breaks a word. A longer word gets a line of its own. Continuations are
 * indented by two more spaces than their line.
 */
export function folded(lines: readonly string[], columns: number): readonly string[] {
  return lines.flatMap((line) => foldedLine(printable(line), Math.max(COLUMNS_MIN, columns)))
}

function foldedLine(line: string, columns: number): readonly string[] {
  const indent = /^ */.exec(line)?.[0] ?? ''
  const result: string[] = []
  let current = indent
  for (const word of line.slice(indent.length).split(' ')) {
    const isEmpty = current.trim() === ''
    if (isEmpty || current.length + 1 + word.length <= columns) {
      current += isEmpty ? word : ` ${word}`
      continue
    }
    result.push(current)
    current = `${indent}  ${word}`
  }
  return [...result, current]
}
