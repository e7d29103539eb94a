import { assert, MacaroondError } from '../../shared/errors.ts'
import { tokenId } from '../../shared/ids.ts'
import { CAVEATS_MAX, SUBJECT_BYTES_MAX, TTL_SECONDS_MAX } from '../../shared/limits.ts'
import { encodeIdentifier } from '../../shared/macaroon/identifier.ts'
import { attenuate, createMacaroon } from '../../shared/macaroon/macaroon.ts'
import { nextNonce, NONCE_RANDOM_BYTES } from '../../shared/macaroon/nonce.ts'
import { checkPredicate } from '../../shared/macaroon/predicate/compile.ts'
import { encodeTokenText } from '../../shared/macaroon/text.ts'
import type { Command } from './commands.ts'
import { activeOrg } from './org.ts'
import type { AuthorityState } from './state.ts'
import type { Decision, Moment } from './step.ts'

type Mint = Extract<Command, { kind: 'token.mint' }>

/** Mints under the org's active key; the nonce carries the issue clock, which never goes back. */
export function mint(state: AuthorityState, command: Mint, moment: Moment): Decision {
  checkMint(command)
  const { subject } = command
  const org = activeOrg(state, command.org)
  const key = state.keys.get(org.activeKid)
  assert(key !== undefined, `org ${org.name} has no active key`)
  const issue = nextNonce(state.issue, moment.wallMs, moment.entropy.bytes(NONCE_RANDOM_BYTES))
  const { nonce, issuedAtMs } = issue
  // By the earlier of the two clocks: an issue clock that once jumped ahead must not lengthen what is minted after.
  const startsMs = Math.min(issuedAtMs, moment.wallMs)
  const expiresAt = command.ttlSeconds === 0 ? 0 : Math.ceil(startsMs / 1000) + command.ttlSeconds
  const identifier = encodeIdentifier({ kid: key.kid, nonce, expiresAt, ancestors: [], subject })
  const root = createMacaroon({ derivedKey: key.derivedKey, location: state.cluster, identifier })
  const token = encodeTokenText(attenuate(root, command.caveats))
  state.issue = issue.state
  const id = tokenId(key.kid, nonce)
  return {
    rows: [{ table: 'issued', row: { kid: key.kid, nonce, subject, expiresAt } }],
    answer: { token, id, org: org.name, subject, issuedAtMs, expiresAt },
    audit: {
      atMs: moment.wallMs,
      actor: command.actor.text,
      action: 'token.mint',
      org: org.name,
      target: id,
      detail: { subject, expiresAt, caveats: command.caveats.length },
    },
  }
}

/** A token that could never clear is a mistake of whoever asks for it: told now, not at the first verification. */
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
  for (const caveat of caveats) checkPredicate(caveat)
}
