/**
 * Points in time on the command line: RFC 3339, a date or a date and time with a zone or with `--utc`, unix seconds, or
 * `2 hours ago`. A time without a zone is refused, because it would mean another time on another machine. What was understood
 * is printed back.
 */
import type { Command } from 'commander'
import { systemClock } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { parseInstant } from '../../shared/macaroon/predicate/instant.ts'
import type { Terminal } from '../terminal.ts'

export interface MomentOptions {
  readonly utc?: true
}

interface ReadOptions {
  readonly utc?: boolean
  /** True if the command changes nothing now, and its caller repeats it afterwards with the same time. */
  readonly dryRun?: boolean
}

interface Context {
  /** The time that "2 hours ago" counts back from. */
  readonly nowMs: number
  /** True if a time without a zone is in UTC. */
  readonly utc: boolean
}

/** The forms of a time, for the help of an option. */
export const MOMENT_FORMS = '2026-11-01T14:00:00Z, "2026-11-01 14:00 +01:00", 2026-11-01 with --utc, or "2 hours ago"'

const UNITS_MS: Readonly<Record<string, number>> = { second: 1e3, minute: 6e4, hour: 3.6e6, day: 8.64e7, week: 6.048e8 }
const AGO = /^(\d{1,9}(?:\.\d{1,3})?) (second|minute|hour|day|week)s? ago$/
const CIVIL = /^(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?))? ?([Zz]|UTC|[+-]\d\d(?::\d\d)?)?$/

/**
 * Fewer unix seconds (before September 2001) are refused: `2026` and `20261101` look like dates, and would be a day of 1970.
 * That is also before any token or archive of macaroond.
 */
const UNIX_SECONDS_MIN = 1e9

/** Synchronised clocks differ by less than this. */
const SKEW_MS_MAX = 2_000

/** Adds `--utc`. */
export function addUtc(command: Command): Command {
  return command.option('--utc', 'a time without a zone is in UTC')
}

/** Unix milliseconds, rounded down. A date alone is its first moment. Throws usage. */
export function parseMoment(option: string, text: string, context: Context): number {
  if (/^\d+$/.test(text.trim())) return unixMs(option, text.trim())
  const ms = agoMs(text.trim(), context) ?? civilMs(option, text.trim(), context) ?? parseInstant(text)
  if (ms !== undefined && ms >= 0 && !Number.isNaN(new Date(ms).getTime())) return Math.floor(ms)
  throw new MacaroondError('usage', `${option} is not a point in time: ${text.slice(0, 80)}`, {
    hint: `write it as ${MOMENT_FORMS}; unix seconds work too`,
  })
}

/**
 * The value of an option, and what was understood on stderr. A dry run also prints the option with the absolute time, because
 * "2 hours ago" is a later time when the command is repeated. Throws usage.
 */
export function readMoment(
  option: string,
  text: string,
  { utc = false, dryRun = false }: ReadOptions,
  terminal: Terminal,
): number {
  const ms = parseMoment(option, text, { nowMs: systemClock.wallMs(), utc })
  if (terminal.json) return ms
  terminal.say(`${option}: ${momentText(ms)}`)
  if (dryRun && AGO.test(text.trim())) {
    terminal.say(
      `  to repeat it with this time, because "${text.trim()}" moves: ${option} ${new Date(ms).toISOString()}`,
    )
  }
  return ms
}

/** Like `readMoment`, for a time that is not in the future by this machine's clock. Throws usage. */
export function readPastMoment(option: string, text: string, { utc }: MomentOptions, terminal: Terminal): number {
  const ms = readMoment(option, text, { utc: utc === true }, terminal)
  const nowMs = systemClock.wallMs()
  if (ms <= nowMs + SKEW_MS_MAX) return ms
  throw new MacaroondError('usage', `${option} is in the future: ${momentText(ms)}`, {
    hint: `this machine’s clock says ${momentText(nowMs)}`,
  })
}

/** The time in UTC, and as a clock on this machine's wall shows it. */
export function momentText(ms: number): string {
  const date = new Date(ms)
  const minutes = -date.getTimezoneOffset()
  const local = new Date(ms + minutes * 60_000).toISOString().slice(0, 19).replace('T', ' ')
  const offset = Math.abs(minutes)
  const two = (number: number): string => String(Math.floor(number)).padStart(2, '0')
  const zone = `${minutes < 0 ? '-' : '+'}${two(offset / 60)}:${two(offset % 60)}`
  return `${date.toISOString().replace('.000Z', 'Z')} (local time ${local} ${zone})`
}

/** Unix milliseconds of unix seconds. Throws usage for digits that were probably meant as something else. */
function unixMs(option: string, digits: string): number {
  const ms = parseInstant(digits)
  if (ms !== undefined && Number(digits) >= UNIX_SECONDS_MIN) return ms
  const wrong = (what: string, hint: string): MacaroondError =>
    new MacaroondError('usage', `${option} is not a point in time: ${digits.slice(0, 80)} ${what}`, { hint })
  if (ms === undefined) {
    throw wrong('is too late for unix seconds', `write milliseconds as seconds, or write it as ${MOMENT_FORMS}`)
  }
  throw wrong('would be a time before 2001', `write it as ${MOMENT_FORMS}; unix seconds have 10 digits`)
}

function agoMs(text: string, { nowMs }: Context): number | undefined {
  const [, count, unit = ''] = AGO.exec(text) ?? []
  return count === undefined ? undefined : Math.round(nowMs - Number(count) * (UNITS_MS[unit] ?? Number.NaN))
}

/** Undefined for a text of another form, and for a day that does not exist. Throws usage for a time without a zone. */
function civilMs(option: string, text: string, { utc }: Context): number | undefined {
  const match = CIVIL.exec(text)
  if (match === null) return undefined
  const [, date = '', time = '00:00:00', zone] = match
  if (zone === undefined && !utc) {
    throw new MacaroondError('usage', `${option} has no zone: ${text}`, {
      hint: `write ${text}${text.length > 10 ? '' : ' '}Z or ${text} +01:00, or give --utc`,
    })
  }
  if (zone !== undefined && utc && !/^([Zz]|UTC)$/.test(zone)) {
    throw new MacaroondError('usage', `${option} has the zone ${zone}, and --utc says another one`, {
      hint: 'leave one of them out',
    })
  }
  return parseInstant(`${date}T${time}${zone === undefined || /^[zU]/.test(zone) ? 'Z' : zone}`)
}
