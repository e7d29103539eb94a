/**
 * Service tokens: a bundle with its login discharge goes in, a token that needs no login comes out. It loses the named
 * third-party caveat, the expiry of issue and the upper time bounds of that login's discharge, and nothing else; its
 * identifier names what it was made from, so it ends with any of them. All of this happens inside the transaction that
 * records it: a revocation is either before it, and refuses, or after it, and ends the new token too.
 */
import { assert, MacaroondError } from '../../shared/errors.ts'
import { tokenId } from '../../shared/ids.ts'
import { ANCESTORS_MAX, CAVEATS_MAX, SERVICE_TTL_SECONDS_MAX } from '../../shared/limits.ts'
import { encodeIdentifier, type TokenReference } from '../../shared/macaroon/identifier.ts'
import { attenuate, createMacaroon } from '../../shared/macaroon/macaroon.ts'
import { nextNonce, NONCE_RANDOM_BYTES } from '../../shared/macaroon/nonce.ts'
import { encodeTokenText } from '../../shared/macaroon/text.ts'
import type { UsedDischarge } from '../../shared/verifier/clear.ts'
import { isUpperTimeBound } from '../../shared/verifier/partial-judge.ts'
import type { Command, Minted } from './commands.ts'
import { activeOrg } from './org.ts'
import { judgePresented, ownCaveats, type Presented } from './presented.ts'
import type { AuthorityState } from './state.ts'
import type { Decision, Moment } from './step.ts'

type Exchange = Extract<Command, { kind: 'token.exchange' }>

export function exchange(state: AuthorityState, command: Exchange, moment: Moment): Decision {
  const { bundle, presenter, strip, ttlSeconds, actor } = command
  checkTtl(ttlSeconds)
  const presented = judgePresented(state, { bundle, presenter, asked: new Map() }, moment)
  const login = loginOf(presented, strip)
  const caveats = carriedOn(presented, login)
  const { kid, nonce, ancestors: elders, subject } = presented.identifier
  const ancestors = [{ kid, nonce }, ...elders]
  checkCounts(ancestors, caveats)
  const minted = mintService(state, { org: presented.org, ancestors, subject, ttlSeconds, caveats }, moment)
  const { id, reference, expiresAt } = minted
  const names = ancestors.map((ancestor) => tokenId(ancestor.kid, ancestor.nonce))
  const common = { atMs: moment.wallMs, actor: actor.text, org: presented.org, target: id }
  const lineage = { ...reference, ancestors, stripped: strip, atMs: moment.wallMs }
  return {
    rows: [
      { table: 'issued', row: { ...reference, subject, expiresAt } },
      { table: 'service_tokens', row: lineage },
    ],
    answer: { ...minted.answer, org: presented.org, subject, ancestors: names, stripped: strip },
    audit: {
      ...common,
      action: 'token.exchange',
      detail: { subject, expiresAt, ancestors: names.join(' '), stripped: strip, caveats: caveats.length },
    },
  }
}

/** The one third-party caveat of the bundle. Another one would be dropped with nobody having said so. */
function loginOf({ used }: Presented, strip: string): UsedDischarge {
  const [login, another] = used.filter(({ caveat }) => (caveat.location ?? '') === strip)
  if (login === undefined) throw notExchanged(`it has no third-party caveat of ${JSON.stringify(strip)}`)
  if (another !== undefined) throw notExchanged(`it has several third-party caveats of ${JSON.stringify(strip)}`)
  if (used.length > 1) throw notExchanged('it has a further third-party caveat, which is not to be stripped')
  if (login.used.length > 0) throw notExchanged('the discharge has third-party caveats of its own')
  return login
}

/** Every caveat but the login's: of the token, then of the discharge. */
function carriedOn({ macaroon }: Presented, { discharge }: UsedDischarge): readonly Uint8Array[] {
  return [...ownCaveats(macaroon), ...ownCaveats(discharge).filter((caveat) => !isUpperTimeBound(caveat))]
}

interface ServiceToken {
  readonly org: string
  readonly ancestors: readonly TokenReference[]
  readonly subject: string
  readonly ttlSeconds: number
  readonly caveats: readonly Uint8Array[]
}

interface MintedService {
  readonly id: ReturnType<typeof tokenId>
  readonly reference: TokenReference
  readonly expiresAt: number
  readonly answer: Pick<Minted, 'token' | 'id' | 'issuedAtMs' | 'expiresAt'>
}

function mintService(state: AuthorityState, service: ServiceToken, { wallMs, entropy }: Moment): MintedService {
  const key = state.keys.get(activeOrg(state, service.org).activeKid)
  assert(key !== undefined, `org ${service.org} has no active key`)
  const { nonce, issuedAtMs, state: issue } = nextNonce(state.issue, wallMs, entropy.bytes(NONCE_RANDOM_BYTES))
  const { ancestors, subject, ttlSeconds } = service
  const expiresAt = Math.ceil(Math.min(issuedAtMs, wallMs) / 1000) + ttlSeconds
  const identifier = encodeIdentifier({ kid: key.kid, nonce, expiresAt, ancestors, subject })
  const root = createMacaroon({ derivedKey: key.derivedKey, location: state.cluster, identifier })
  const token = encodeTokenText(attenuate(root, service.caveats))
  state.issue = issue
  const id = tokenId(key.kid, nonce)
  return { id, reference: { kid: key.kid, nonce }, expiresAt, answer: { token, id, issuedAtMs, expiresAt } }
}

function checkTtl(ttlSeconds: number): void {
  if (Number.isSafeInteger(ttlSeconds) && ttlSeconds > 0 && ttlSeconds <= SERVICE_TTL_SECONDS_MAX) return
  throw new MacaroondError('request_invalid', 'a service token lives for 1 second to 90 days', {
    hint: 'exchange the bundle again before it ends',
  })
}

function checkCounts(ancestors: readonly TokenReference[], caveats: readonly Uint8Array[]): void {
  if (ancestors.length > ANCESTORS_MAX) {
    throw notExchanged(`it would go back to more than ${ANCESTORS_MAX} tokens`)
  }
  if (caveats.length > CAVEATS_MAX) throw notExchanged(`the service token would have more than ${CAVEATS_MAX} caveats`)
}

function notExchanged(why: string): MacaroondError {
  return new MacaroondError('token_refused', `the bundle cannot be exchanged: ${why}`, {
    hint: 'a bundle to exchange has one third-party caveat, the login that is named, with its discharge',
  })
}
