/** Mints a token: issues one from nothing, for an org and a subject, with the caveats that the signer asks for. */
import { MacaroondError } from '../../shared/errors.ts'
import { CAVEATS_MAX, SUBJECT_BYTES_MAX, TOKEN_BYTES_MAX, TTL_SECONDS_MAX } from '../../shared/limits.ts'
import { tooLarge } from '../../shared/macaroon/format-errors.ts'
import { checkPredicate } from '../../shared/macaroon/predicate/compile.ts'
import type { CommandOf } from './commands.ts'
import { issueToken } from './issue.ts'
import type { AuthorityState } from './state.ts'
import type { Decision, DecisionContext } from './decision.ts'

type Mint = CommandOf<'token.mint'>

/** Throws request_invalid, token_too_large, caveat_malformed, and what `issueToken` throws. */
export function mint(state: AuthorityState, command: Mint, context: DecisionContext): Decision {
  checkMint(command)
  const { org, subject } = command
  const issued = issueToken(state, { ...command, ancestors: [] }, context)
  const { token, id, kid, nonce, issuedAtMs, expiresAt } = issued
  return {
    rows: [{ table: 'issued', row: { kid, nonce, subject, expiresAt } }],
    answer: { token, id, org, subject, issuedAtMs, expiresAt },
    audit: {
      atMs: context.nowMs,
      actor: command.actor.text,
      action: 'token.mint',
      org,
      target: id,
      detail: { subject, expiresAt, caveats: command.caveats.length },
    },
  }
}

/** Refuses a token that could never clear: its signer learns of the mistake now, and not at the first verification. */
function checkMint(command: Mint): void {
  const { caveats, subject, ttlSeconds } = command
  if (Buffer.byteLength(subject) > SUBJECT_BYTES_MAX) {
    throw new MacaroondError('request_invalid', `a subject has at most ${SUBJECT_BYTES_MAX} bytes`)
  }
  if (caveats.length > CAVEATS_MAX) {
    throw new MacaroondError('request_invalid', `a token has at most ${CAVEATS_MAX} caveats`)
  }
  if (!Number.isSafeInteger(ttlSeconds) || ttlSeconds < 0 || ttlSeconds > TTL_SECONDS_MAX) {
    throw new MacaroondError(
      'request_invalid',
      'the time to live is a whole number of seconds up to 100 years, or 0 for none',
    )
  }
  checkCaveats(caveats)
}

/** Judges the bytes first: a caveat is compiled in the turn of every other write, and costs work by its length. */
function checkCaveats(caveats: readonly string[]): void {
  const bytes = caveats.reduce((sum, caveat) => sum + Buffer.byteLength(caveat), 0)
  if (bytes > TOKEN_BYTES_MAX) throw tooLarge(`its caveats have ${bytes} bytes`, TOKEN_BYTES_MAX)
  for (const caveat of caveats) checkPredicate(caveat)
}
