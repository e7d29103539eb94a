/** Parses times and durations in caveats. A time is RFC 3339 with a zone, or unix seconds. */
import { parseInteger } from './interval.ts'

/** Unix seconds above this (the year 5138) are refused: they are probably milliseconds, and would never expire. */
const UNIX_SECONDS_MAX = 1e11

/**
 * RFC 3339, and two unambiguous variants of other libraries: without seconds (libmacaroons' examples), and with only the
 * hours of the zone (jmacaroons). `+0100` is refused, because jmacaroons reads only its first half.
 */
const TIMESTAMP = /^(\d{4}-\d\d-\d\dT\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?:Z|([+-])(\d\d)(?::(\d\d))?)$/

/** Unix milliseconds from a timestamp or from unix seconds. Undefined if the text is neither. */
export function parseInstant(text: string): number | undefined {
  const seconds = parseInteger(text)
  if (seconds === undefined) return parseTimestamp(text)
  return seconds > UNIX_SECONDS_MAX ? undefined : seconds * 1000
}

/** Unix milliseconds from a timestamp. A time without a zone is refused, because libraries disagree on its meaning. */
export function parseTimestamp(text: string): number | undefined {
  const match = TIMESTAMP.exec(text)
  if (match === null) return undefined
  const [, minute = '', second = '00', fraction = '', sign, hours = '0', minutes = '0'] = match
  const utcMs = civilTimeMs(`${minute}:${second}`)
  if (utcMs === undefined || Number(hours) > 23 || Number(minutes) > 59) return undefined
  const offsetMs = (Number(hours) * 60 + Number(minutes)) * 60_000
  return utcMs + Number(`0.${fraction}0`) * 1000 - (sign === '-' ? -offsetMs : offsetMs)
}

/** Undefined for dates that `Date.parse` would shift or reject, such as 30 February, hour 24 and leap seconds. */
function civilTimeMs(dateTime: string): number | undefined {
  const ms = Date.parse(`${dateTime}Z`)
  return Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 19) !== dateTime ? undefined : ms
}

/** Milliseconds from a duration such as `500ms` or `5s`. Undefined for any other text. */
export function parseDuration(text: string): number | undefined {
  const match = /^([0-9]+)(ms|s)$/.exec(text)
  const count = parseInteger(match?.[1] ?? '')
  if (count === undefined) return undefined
  return match?.[2] === 's' ? count * 1000 : count
}
