/**
 * Exchanges a token with its login discharge for a service token, which needs no login. The new token drops the named
 * third-party caveat, the old expiry and the upper time bounds of the login's discharge, and nothing else. Its identifier names
 * its ancestors, so a revocation of any of them revokes it. The exchange is one transaction: a revocation comes either before
 * it, and refuses the bundle, or after it, and revokes the new token too.
 */
import { MacaroondError } from '../../shared/errors.ts'
import { tokenId } from '../../shared/ids.ts'
import { ANCESTORS_MAX, CAVEATS_MAX, SERVICE_TTL_SECONDS_MAX } from '../../shared/limits.ts'
import type { TokenReference } from '../../shared/macaroon/identifier.ts'
import type { UsedDischarge } from '../../shared/verifier/clear.ts'
import { isUpperTimeBound } from './partial-judge.ts'
import { thirdPartyOf } from '../../shared/verifier/verified-bundle.ts'
import type { CommandOf } from './commands.ts'
import { issueToken } from './issue.ts'
import { judgePresented, ownCaveats, type Presented } from './presented.ts'
import type { AuthorityState } from './state.ts'
import type { Decision, DecisionContext } from './decision.ts'

type Exchange = CommandOf<'token.exchange'>

export function exchange(state: AuthorityState, command: Exchange, context: DecisionContext): Decision {
  const { bundle, presenter, strip, id: expectedId, ticket, actor } = command
  const ttlSeconds = lifeOf(command)
  const presented = judgePresented(state, { bundle, presenter, asked: new Map() }, context)
  checkToken(presented, expectedId)
  const login = loginOf(presented, strip)
  checkTicket(login, ticket)
  const caveats = carriedOn(presented, login)
  const { kid, nonce, ancestors: earlier, subject } = presented.identifier
  const ancestors = [{ kid, nonce }, ...earlier]
  checkCounts(ancestors, caveats)
  const issued = issueToken(state, { org: presented.org, subject, ancestors, caveats, ttlSeconds }, context)
  const { token, id, issuedAtMs, expiresAt } = issued
  const reference = { kid: issued.kid, nonce: issued.nonce }
  const names = ancestors.map((ancestor) => tokenId(ancestor.kid, ancestor.nonce))
  const common = { atMs: context.nowMs, actor: actor.text, org: presented.org, target: id }
  const lineage = { ...reference, ancestors, stripped: strip, atMs: context.nowMs }
  return {
    rows: [
      { table: 'issued', row: { ...reference, subject, expiresAt } },
      { table: 'service_tokens', row: lineage },
    ],
    answer: { token, id, issuedAtMs, expiresAt, org: presented.org, subject, ancestors: names, stripped: strip },
    audit: {
      ...common,
      action: 'token.exchange',
      detail: {
        subject,
        expiresAt,
        ancestors: names.join(' '),
        stripped: strip,
        ticket: thirdPartyOf(login.caveat).ticket,
        caveats: caveats.length,
      },
    },
  }
}

/**
 * The only third-party caveat of the bundle. A second one is refused, because the service token would drop a caveat that the
 * caller did not name.
 */
function loginOf({ used, verdict }: Presented, strip: string): UsedDischarge {
  const [login, another] = used.filter(({ caveat }) => (caveat.location ?? '') === strip)
  if (login === undefined) throw notExchanged(`it has no third-party caveat of ${JSON.stringify(strip)}`)
  if (another !== undefined) throw notExchanged(`it has several third-party caveats of ${JSON.stringify(strip)}`)
  if (used.length > 1) throw notExchanged('it has another third-party caveat, which the request does not strip')
  if (login.used.length > 0) throw notExchanged('the discharge has third-party caveats of its own')
  // A service token is revoked with its ancestors. The tokens behind this discharge would not be among them.
  if (verdict.presented !== undefined)
    throw notExchanged('the discharge was obtained by presenting other tokens, which would not be ancestors')
  return login
}

/** A ticket is not bound to one token: a holder can append the same ticket to another token, under a caveat key of its own. */
function checkToken({ verdict }: Presented, expectedId: string): void {
  if (verdict.id === expectedId) return
  throw notExchanged('it is not the token that the login caveat was added to')
}

/** The holder can change a location, but not the ticket: the signature covers it. */
function checkTicket({ caveat }: UsedDischarge, ticket: Uint8Array): void {
  if (Buffer.compare(caveat.cid, ticket) === 0) return
  throw notExchanged('the ticket of its third-party caveat is not the login’s')
}

/** Every first-party caveat of the token, then those of the discharge without its upper time bounds. */
function carriedOn({ macaroon }: Presented, { discharge }: UsedDischarge): readonly Uint8Array[] {
  return [...ownCaveats(macaroon), ...ownCaveats(discharge).filter((caveat) => !isUpperTimeBound(caveat))]
}

/**
 * Seconds. A request for `SERVICE_TTL_SECONDS_MAX`, which is the default, gets this authority's maximum. Throws
 * request_invalid.
 */
function lifeOf({ ttlSeconds, ttlSecondsMax }: Exchange): number {
  if (ttlSeconds === SERVICE_TTL_SECONDS_MAX) return Math.min(ttlSeconds, ttlSecondsMax)
  if (Number.isSafeInteger(ttlSeconds) && ttlSeconds > 0 && ttlSeconds <= ttlSecondsMax) return ttlSeconds
  throw new MacaroondError('request_invalid', `a service token lives for 1 second to ${ttlSecondsMax / 86_400} days`, {
    hint: 'exchange the bundle again before the token expires; `service_token_days` under [tokens] sets the longest life',
  })
}

function checkCounts(ancestors: readonly TokenReference[], caveats: readonly Uint8Array[]): void {
  if (ancestors.length > ANCESTORS_MAX) {
    throw notExchanged(`the service token would have more than ${ANCESTORS_MAX} ancestors`)
  }
  if (caveats.length > CAVEATS_MAX) throw notExchanged(`the service token would have more than ${CAVEATS_MAX} caveats`)
}

function notExchanged(why: string): MacaroondError {
  return new MacaroondError('token_refused', `the bundle cannot be exchanged: ${why}`, {
    hint: 'present a token with exactly one third-party caveat, the login, together with its discharge',
  })
}
