/**
 * Judges tokens that are presented to the authority itself, for a discharge or an exchange. It uses the same verifier as a
 * replica, on the authority's own state, so the verdict is part of the transaction.
 */
import { MacaroondError } from '../../shared/errors.ts'
import { type TokenId, tokenId } from '../../shared/ids.ts'
import { decodeBundle } from '../../shared/macaroon/bundle.ts'
import { decodeIdentifier } from '../../shared/macaroon/identifier.ts'
import type { VerifiedMacaroon } from '../../shared/macaroon/signature.ts'
import type { UsedDischarge } from '../../shared/verifier/clear.ts'
import { judgePartially } from './partial-judge.ts'
import { isRefused, type Refused } from '../../shared/verifier/verdict.ts'
import { examine, type Examination } from '../../shared/verifier/verifier.ts'
import { requireBelieved } from './believed.ts'
import { type AuthorityState, tablesOf } from './state.ts'
import type { DecisionContext } from './decision.ts'

export interface Presentation {
  /** A token with its discharges, in text. */
  readonly bundle: string
  /** PeerId of the caller, from the connection. */
  readonly presenter: string
  /** Keys and values of the access, without the org. */
  readonly asked: ReadonlyMap<string, readonly string[]>
}

export interface Presented extends Examination {
  readonly org: string
}

/** Throws clock_implausible, token_refused, and what `decodeBundle` throws. */
export function judgePresented(state: AuthorityState, presentation: Presentation, context: DecisionContext): Presented {
  const { bundle, presenter, asked } = presentation
  const tables = tablesOf(state)
  const org = orgOf(state, bundle)
  const access = Object.fromEntries<string | readonly string[]>([...asked, ['org', org]]) as { readonly org: string }
  const { earliestMs, latestMs } = requireBelieved(context)
  const time = { nowEarliestMs: earliestMs, nowLatestMs: latestMs, peer: presenter }
  const examined = examine({ token: bundle, access }, tables, time, judgePartially)
  if (isRefused(examined)) throw tokenRefused(examined)
  return { ...examined, org }
}

/** The org of the key that the token names. The token is not verified yet. Throws token_refused. */
function orgOf(state: AuthorityState, bundle: string): string {
  const [root] = decodeBundle(bundle)
  const { kid } = decodeIdentifier(root?.identifier ?? new Uint8Array())
  const key = state.keys.get(kid)
  if (key !== undefined) return key.org
  throw new MacaroondError(
    'token_refused',
    'a presented token is refused (key_unknown): this authority did not mint it',
  )
}

/** The ids of the token and of its ancestors. A revocation of any of them revokes the token. */
export function tokenIdsOf({ identifier }: Examination): readonly TokenId[] {
  return [identifier, ...identifier.ancestors].map(({ kid, nonce }) => tokenId(kid, nonce))
}

/** First-party caveats of the token, then of every discharge that cleared it, in order. */
export function firstPartyCaveats({ macaroon, used }: Examination): readonly Uint8Array[] {
  return [...ownCaveats(macaroon), ...used.flatMap(caveatsOfDischarge)]
}

export function ownCaveats({ caveats }: VerifiedMacaroon): readonly Uint8Array[] {
  return caveats.filter(({ vid }) => vid === undefined).map(({ cid }) => cid)
}

export function caveatsOfDischarge({ discharge, used }: UsedDischarge): readonly Uint8Array[] {
  return [...ownCaveats(discharge), ...used.flatMap(caveatsOfDischarge)]
}

/** Names the caveat that refused. This reveals nothing new, because the caller holds the token. */
function tokenRefused({ reason, message, caveat }: Refused): MacaroondError {
  const which = caveat === undefined ? '' : `: ${JSON.stringify(caveat)}`
  return new MacaroondError('token_refused', `a presented token is refused (${reason}): ${message}${which}`, {
    hint: 'present a token that allows the access, with the discharges that it needs',
  })
}
