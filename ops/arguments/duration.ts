/** Parses times to live on the command line. */
import { MacaroondError } from '../../shared/errors.ts'
import { TTL_SECONDS_MAX } from '../../shared/limits.ts'

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 }

/** `30s`, `5m`, `24h` or `7d`, in seconds. 0 is for a token that never expires. Throws usage. */
export function parseTtl(text: string): number {
  if (text === '0') return 0
  const [, digits, unit = ''] = /^([1-9][0-9]{0,9})([smhd])$/.exec(text) ?? []
  const seconds = Number(digits) * (SECONDS[unit] ?? Number.NaN)
  if (seconds <= TTL_SECONDS_MAX) return seconds
  const why = Number.isNaN(seconds) ? 'not a time to live' : 'too long a time to live'
  throw new MacaroondError('usage', `${why}: ${text.slice(0, 80)}`, {
    hint: 'write it as 30s, 5m, 24h or 7d; 0 is for a token that never expires',
  })
}
