/**
 * Limits revocations of token ids whose mint is not on record, if the caller does not present the token. Such a row has no
 * known expiry, so it stays for ever, and a caller can invent ids. Some such ids are real, because a restore may lose records
 * of mints. So this authority refuses an id that it cannot have minted, and limits the rate of the others for each org. It
 * never limits cut-offs, or a revocation with the token itself.
 */
import type { Clock } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { Nonce } from '../../shared/ids.ts'
import { BEFORE_KEY_MS_MAX, UNRECORDED_A_SECOND, UNRECORDED_AT_ONCE } from '../../shared/limits.ts'
import { nonceTimeMs } from '../../shared/macaroon/nonce.ts'
import type { AuthorityState, OrgKey } from './state.ts'

interface Bucket {
  readonly count: number
  readonly atMs: number
}

export class UnrecordedRate {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #buckets = new Map<string, Bucket>()

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock
  }

  /** Takes one from the org's token bucket. Throws overloaded if it is empty. */
  spend(org: string): void {
    const nowMs = this.#clock.monotonicMs()
    const { count, atMs } = this.#buckets.get(org) ?? { count: UNRECORDED_AT_ONCE, atMs: nowMs }
    const left = Math.min(UNRECORDED_AT_ONCE, count + ((nowMs - atMs) / 1000) * UNRECORDED_A_SECOND)
    if (left < 1) throw tooMany(org, ((1 - left) * 1000) / UNRECORDED_A_SECOND)
    this.#buckets.set(org, { count: left - 1, atMs: nowMs })
  }
}

/** `latestMs`: the latest time that may be now; undefined while the clock is in doubt. Throws request_invalid. */
export function checkPlausible(
  nonce: Nonce,
  { createdMs }: Pick<OrgKey, 'createdMs'>,
  { issue }: Pick<AuthorityState, 'issue'>,
  latestMs: number | undefined,
): void {
  const issuedMs = nonceTimeMs(nonce)
  if (issuedMs < createdMs - BEFORE_KEY_MS_MAX) throw implausible('its time is before the creation of its key')
  if (latestMs !== undefined && issuedMs > Math.max(issue.lastMs, latestMs))
    throw implausible('its time is in the future')
}

function implausible(why: string): MacaroondError {
  return new MacaroondError('request_invalid', `this authority cannot have minted a token with this id: ${why}`, {
    hint: 'check the id; if you have the token, revoke it with `--token -`',
  })
}

function tooMany(org: string, waitMs: number): MacaroondError {
  return new MacaroondError('overloaded', `org ${org} revokes too many ids whose mints are not on record`, {
    hint: 'revoke with the tokens themselves (`--token -`), or by subject, org or key: these have no such limit',
    retryAfterMs: Math.ceil(waitMs),
  })
}
