/** Points in time and durations in caveats: RFC 3339 with a zone, or unix seconds. */
import { parseInteger } from './interval.ts'

/** Unix seconds above this (the year 5138) are milliseconds by mistake, and such a caveat would never expire. */
const UNIX_SECONDS_MAX = 1e11

/**
 * RFC 3339, and two spellings of other libraries that can mean one thing only: without seconds (libmacaroons' examples),
 * and with the hours of the zone alone (jmacaroons). `+0100` is none: jmacaroons reads its first half.
 */
const TIMESTAMP = /^(\d{4}-\d\d-\d\dT\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?:Z|([+-])(\d\d)(?::(\d\d))?)$/

/** Unix milliseconds, from a timestamp or unix seconds. */
export function parseInstant(text: string): number | undefined {
  const seconds = parseInteger(text)
  if (seconds === undefined) return parseTimestamp(text)
  return seconds > UNIX_SECONDS_MAX ? undefined : seconds * 1000
}

/** Unix milliseconds. A time without a zone is refused: libraries disagree on whose zone would be meant. */
export function parseTimestamp(text: string): number | undefined {
  const match = TIMESTAMP.exec(text)
  if (match === null) return undefined
  const [, minute = '', second = '00', fraction = '', sign, hours = '0', minutes = '0'] = match
  const utcMs = civilTimeMs(`${minute}:${second}`)
  if (utcMs === undefined || Number(hours) > 23 || Number(minutes) > 59) return undefined
  const offsetMs = (Number(hours) * 60 + Number(minutes)) * 60_000
  return utcMs + Number(`0.${fraction}0`) * 1000 - (sign === '-' ? -offsetMs : offsetMs)
}

/** Undefined for a 30th of February, hour 24 and leap seconds: what comes back differs from what went in. */
function civilTimeMs(dateTime: string): number | undefined {
  const ms = Date.parse(`${dateTime}Z`)
  return Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 19) !== dateTime ? undefined : ms
}

/** `500ms` or `5s`, in milliseconds. */
export function parseDuration(text: string): number | undefined {
  const match = /^([0-9]+)(ms|s)$/.exec(text)
  const count = parseInteger(match?.[1] ?? '')
  if (count === undefined) return undefined
  return match?.[2] === 's' ? count * 1000 : count
}
