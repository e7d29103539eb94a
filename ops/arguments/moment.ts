/** Parses points in time on the command line. */
import { MacaroondError } from '../../shared/errors.ts'
import { parseInstant } from '../../shared/macaroon/predicate/instant.ts'

/** RFC 3339 with a zone, or unix seconds. Returns unix milliseconds, rounded down. Throws usage. */
export function parseMoment(option: string, text: string): number {
  const ms = parseInstant(text)
  if (ms !== undefined && ms >= 0) return Math.floor(ms)
  throw new MacaroondError('usage', `${option} is not a point in time: ${text.slice(0, 80)}`, {
    hint: 'write it as 2026-11-01T00:00:00Z, or as unix seconds',
  })
}
