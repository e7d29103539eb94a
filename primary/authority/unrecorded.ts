/**
 * Revocations by an id whose mint is not on record, and that no token proves. Nothing says when such a token ends, so each row
 * stays for ever, and ids can be made up. Honest ones exist: a restore forgets mints. So what cannot be an id of this
 * authority is refused, and the rest has a rate for each org. A token itself, and cut-offs, always go.
 */
import type { Clock } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { Nonce } from '../../shared/ids.ts'
import { BEFORE_KEY_MS_MAX, UNRECORDED_A_SECOND, UNRECORDED_AT_ONCE } from '../../shared/limits.ts'
import { nonceTimeMs } from '../../shared/macaroon/nonce.ts'
import type { AuthorityState, OrgKey } from './state.ts'

interface Left {
  readonly count: number
  readonly atMs: number
}

export class UnrecordedRate {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #left = new Map<string, Left>()

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock
  }

  /** Throws overloaded once the org has had its share. */
  spend(org: string): void {
    const nowMs = this.#clock.monotonicMs()
    const { count, atMs } = this.#left.get(org) ?? { count: UNRECORDED_AT_ONCE, atMs: nowMs }
    const left = Math.min(UNRECORDED_AT_ONCE, count + ((nowMs - atMs) / 1000) * UNRECORDED_A_SECOND)
    if (left < 1) throw tooMany(org, ((1 - left) * 1000) / UNRECORDED_A_SECOND)
    this.#left.set(org, { count: left - 1, atMs: nowMs })
  }
}

/** Throws request_invalid. `latestMs`: the latest that the time may be; undefined while nobody knows. */
export function checkPlausible(
  nonce: Nonce,
  { createdMs }: Pick<OrgKey, 'createdMs'>,
  { issue }: Pick<AuthorityState, 'issue'>,
  latestMs: number | undefined,
): void {
  const issuedMs = nonceTimeMs(nonce)
  if (issuedMs < createdMs - BEFORE_KEY_MS_MAX) throw madeUp('its time is before its key was made')
  if (latestMs !== undefined && issuedMs > Math.max(issue.lastMs, latestMs)) throw madeUp('its time has not come yet')
}

function madeUp(why: string): MacaroondError {
  return new MacaroondError('request_invalid', `this authority never minted a token of this id: ${why}`, {
    hint: 'check the id; a token in hand is revoked by itself, with `--token -`',
  })
}

function tooMany(org: string, waitMs: number): MacaroondError {
  return new MacaroondError('overloaded', `org ${org} revokes too many ids whose mints are not on record`, {
    hint: 'revoke the tokens themselves (`--token -`), or by subject, org or key: those always go',
    retryAfterMs: Math.ceil(waitMs),
  })
}
