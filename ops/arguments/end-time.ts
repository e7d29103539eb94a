/** The end that `--ttl` gives a token on this machine, whose clock nobody has compared with the authority's. */
import { decodeIdentifier } from '../../shared/macaroon/identifier.ts'
import type { Macaroon } from '../../shared/macaroon/macaroon.ts'
import { nonceTimeMs } from '../../shared/macaroon/nonce.ts'

export interface EndTime {
  /** Unix seconds. */
  readonly endsAt: number
  readonly warnings: readonly string[]
}

/** Clocks that are looked after differ by less. */
const SKEW_MS_MAX = 2_000

/**
 * The id of a token says when it was issued, so a clock before that is behind: the end counts from the issue then, or else the
 * token would be dead on arrival. A clock that is ahead cannot be told from one that is right.
 */
export function endTime({ identifier }: Macaroon, seconds: number, wallMs: number): EndTime {
  const { issuedMs = 0, expiresAt = 0 } = times(identifier) ?? {}
  const endsAt = Math.floor(Math.max(wallMs, issuedMs) / 1000) + seconds
  const warnings = []
  if (issuedMs - wallMs > SKEW_MS_MAX) {
    const behind = `this machine’s clock says ${timeText(wallMs)}, before the token was issued at ${timeText(issuedMs)}`
    warnings.push(`${behind}: the time counts from there; set the clock right`)
  }
  if (expiresAt !== 0 && expiresAt <= endsAt)
    warnings.push(`the token itself ends at ${timeText(expiresAt * 1000)}: this makes it no shorter`)
  return { endsAt, warnings }
}

/** Undefined for a macaroon of somebody else. */
function times(identifier: Uint8Array): { readonly issuedMs: number; readonly expiresAt: number } | undefined {
  try {
    const { nonce, expiresAt } = decodeIdentifier(identifier)
    return { issuedMs: nonceTimeMs(nonce), expiresAt }
  } catch {
    return undefined
  }
}

export function timeText(ms: number): string {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? `${ms} (unix ms)` : date.toISOString().replace('.000Z', 'Z')
}
