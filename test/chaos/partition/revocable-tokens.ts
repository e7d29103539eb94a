/** Tokens that wait for their revocation. A revocation names one token, or all tokens of a subject, org or key. */
import type {
  DisableOrgRequest,
  RetireKeyRequest,
  RevokeIssuedRequest,
  RevokeRequest,
  Signer,
} from '../../../primary/signer/sdk.ts'
import type { MintEvent, Named } from '../../history/event.ts'
import type { Random } from '../random.ts'
import type { ShownToken } from './service-process.ts'
import { monotonicMs } from './clock.ts'

type Kind = Named['kind']

export interface RevocableToken {
  readonly kind: Kind
  readonly minted: MintEvent
  readonly shown: readonly ShownToken[]
  readonly sinceMs: number
}

/** One revocation, and every waiting token that it revokes. */
export interface RevocableGroup {
  readonly named: Named
  readonly tokens: readonly RevocableToken[]
}

/** Tokens that are revoked alone lie among those that never are, and with others of their org. */
export const ORGS: Readonly<Record<Exclude<Kind, 'disabled'>, string>> = {
  token: 'acme',
  subject: 'acme',
  org: 'globex',
  key: 'initech',
}
/** A token is known to every service before it is revoked. */
const SHOWN_BEFORE_MS = 400

export class RevocableTokens {
  #waiting: readonly RevocableToken[] = []

  add(token: RevocableToken): void {
    this.#waiting = [...this.#waiting, token]
  }

  /** Undefined while none has waited long enough. */
  pick(random: Random): RevocableGroup | undefined {
    const token = random.pick(this.#waiting.filter(({ sinceMs }) => monotonicMs() - sinceMs > SHOWN_BEFORE_MS))
    if (token === undefined) return undefined
    const tokens = this.#waiting.filter((other) => endsWith(other, token))
    this.#waiting = this.#waiting.filter((other) => !tokens.includes(other))
    return { named: namedBy(token), tokens }
  }
}

/** An org that is disabled does not come back: the next one has another name. */
export function disabledOrg(count: number): string {
  return `umbrella-${count}`
}

/** A cut-off is at the token's own issue time, so the run shows that it revokes this token and not the next one. */
function namedBy({ kind, minted: { id, org, subject, kid, issuedMs: untilMs } }: RevocableToken): Named {
  if (kind === 'token') return { kind, id }
  if (kind === 'subject') return { kind, org, subject, untilMs }
  if (kind === 'disabled') return { kind, org }
  return kind === 'org' ? { kind, org, untilMs } : { kind, kid }
}

function endsWith({ minted: other }: RevocableToken, { kind, minted }: RevocableToken): boolean {
  if (kind === 'token') return other.id === minted.id
  if (kind === 'key') return other.kid === minted.kid
  if (kind === 'disabled') return other.org === minted.org
  const isOfOrg = other.org === minted.org && other.issuedMs <= minted.issuedMs
  return isOfOrg && (kind === 'org' || other.subject === minted.subject)
}

type Wait = Pick<RevokeRequest & RevokeIssuedRequest & RetireKeyRequest & DisableOrgRequest, 'wait'>

/** Where it stands in the log; a key is retired once another one mints. */
export async function carryOut(signer: Signer, named: Named, wait: Required<Wait>): Promise<Place> {
  if (named.kind === 'token') return placeOf(await signer.revoke({ id: named.id, ...wait }))
  if (named.kind === 'key') return placeOf(await signer.retireKey({ org: ORGS.key, kid: named.kid, ...wait }))
  if (named.kind === 'disabled') return placeOf(await signer.disableOrg({ org: named.org, ...wait }))
  const { kind: _, ...issued } = named
  return placeOf(await signer.revokeIssued({ ...issued, ...wait }))
}

export interface Place {
  readonly epoch?: number
  readonly seq?: number
}

/** What was revoked before in the same way has no place of its own. */
function placeOf({ already, seq, position }: { already: boolean; seq: number; position: string }): Place {
  return already ? {} : { epoch: Number(position.split('.')[0]), seq }
}
