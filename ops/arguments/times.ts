/** Times to live on the command line, and the time at which an attenuated token expires. */
import { decodeIdentifier } from '../../shared/macaroon/identifier.ts'
import type { Macaroon } from '../../shared/macaroon/macaroon.ts'
import { nonceTimeMs } from '../../shared/macaroon/nonce.ts'
import { TTL_SECONDS_MAX } from '../../shared/limits.ts'
import { MacaroondError } from '../../shared/errors.ts'

export interface EndTime {
  /** Unix seconds. */
  readonly endsAt: number
  readonly warnings: readonly string[]
}

/** Synchronised clocks differ by less than this. */
const SKEW_MS_MAX = 2_000

/**
 * The time at which `token attenuate --ttl` lets a token expire, computed by this machine's clock, which may be wrong. The id
 * of a token contains the time of issue. If this machine's clock is before that time, it is behind, and the time to live
 * counts from the issue; otherwise the token could be expired at once. A clock that is ahead cannot be noticed.
 */
export function endTime(token: Macaroon, seconds: number, wallMs: number): EndTime {
  const { issuedMs = 0, expiresAt = 0 } = times(token.identifier) ?? {}
  const endsAt = Math.floor(Math.max(wallMs, issuedMs) / 1000) + seconds
  const warnings = []
  if (issuedMs - wallMs > SKEW_MS_MAX) {
    const behind = `this machine’s clock says ${shortTimeText(wallMs)}, before the token was issued at ${shortTimeText(issuedMs)}`
    warnings.push(`${behind}: the time to live counts from the issue; correct the clock`)
  }
  if (expiresAt !== 0 && expiresAt <= endsAt)
    warnings.push(`the token itself expires at ${shortTimeText(expiresAt * 1000)}: --ttl does not shorten it`)
  return { endsAt, warnings }
}

/** Undefined for a macaroon of another program, whose identifier has another form. */
function times(identifier: Uint8Array): { readonly issuedMs: number; readonly expiresAt: number } | undefined {
  try {
    const { nonce, expiresAt } = decodeIdentifier(identifier)
    return { issuedMs: nonceTimeMs(nonce), expiresAt }
  } catch {
    return undefined
  }
}

/** The time as text, without a fraction of zero. A time from a token may be out of the range of dates. */
export function shortTimeText(ms: number): string {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? `${ms} (unix ms)` : date.toISOString().replace('.000Z', 'Z')
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 }

/** `30s`, `5m`, `24h`, `7d` or `1w`, in seconds. 0 is for a token that never expires. Throws usage. */
export function parseTtl(text: string): number {
  if (text === '0') return 0
  const [, digits, unit = ''] = /^([1-9][0-9]{0,9})([smhdw])$/.exec(text) ?? []
  const seconds = Number(digits) * (SECONDS[unit] ?? Number.NaN)
  if (seconds <= TTL_SECONDS_MAX) return seconds
  const why = Number.isNaN(seconds) ? 'not a time to live' : 'too long a time to live'
  throw new MacaroondError('usage', `${why}: ${text.slice(0, 80)}`, {
    hint: 'write it as 30s, 5m, 24h, 7d or 1w; 0 is for a token that never expires',
  })
}
