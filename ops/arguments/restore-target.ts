/** Parses the state to restore: `--at` (a time, or "2 hours ago"), `--txid`, or neither for the newest state. */
import type { RestoreTarget } from '../../shared/archive/restore-plan.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { txid } from '../../shared/ids.ts'

const UNITS_MS: Readonly<Record<string, number>> = { second: 1e3, minute: 6e4, hour: 3.6e6, day: 8.64e7, week: 6.048e8 }
const AGO = /^(\d{1,9}(?:\.\d{1,3})?) (second|minute|hour|day|week)s? ago$/
/** RFC 3339 with a zone: a date without one would mean a different time on another machine. */
const MOMENT = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/

/** `nowMs` is the time that "2 hours ago" counts back from. Throws usage. */
export function parseTarget(
  { at, txid: number }: { readonly at?: string | undefined; readonly txid?: string | undefined },
  nowMs: number,
): RestoreTarget {
  if (at !== undefined && number !== undefined)
    throw new MacaroondError('usage', 'give either --at or --txid, not both')
  if (at !== undefined) return { kind: 'time', atMs: parseAt(at, nowMs) }
  return number === undefined ? { kind: 'head' } : { kind: 'txid', txid: parseNumber(number) }
}

function parseAt(text: string, nowMs: number): number {
  const [, count, unit = ''] = AGO.exec(text.trim()) ?? []
  const atMs =
    count === undefined ? civilTimeMs(text) : Math.round(nowMs - Number(count) * (UNITS_MS[unit] ?? Number.NaN))
  if (Number.isFinite(atMs) && atMs >= 0) return atMs
  throw new MacaroondError('usage', `not a point in time: ${text.slice(0, 80)}`, {
    hint: 'write it as 2026-11-25T14:00:00Z (with its zone), or as "2 hours ago"',
  })
}

function civilTimeMs(text: string): number {
  return MOMENT.test(text) && isInCalendar(text) ? Date.parse(text.replace(' ', 'T')) : Number.NaN
}

/** True if the day exists. Date.parse turns the 30th of February into the 2nd of March instead of failing. */
function isInCalendar(text: string): boolean {
  const [year = 0, month = 0, day = 0] = text.slice(0, 10).split('-').map(Number)
  return day <= new Date(Date.UTC(year, month, 0)).getUTCDate()
}

/** A transaction number in decimal, or the 16 hex digits that stand in file names and positions. Throws usage. */
function parseNumber(text: string): ReturnType<typeof txid> {
  const value = /^[0-9a-f]{16}$/.test(text)
    ? Number.parseInt(text, 16)
    : /^\d{1,15}$/.test(text)
      ? Number(text)
      : Number.NaN
  if (Number.isSafeInteger(value) && value > 0) return txid(value)
  throw new MacaroondError('usage', `not a transaction number: ${text.slice(0, 80)}`, {
    hint: 'write it in decimal, or as the 16 hex digits in a position or a file name',
  })
}
