/** Tokens that wait for their revocation, and what is taken along with one: alone, or with all of its subject, org or key. */
import type {
  DisableOrgRequest,
  RetireKeyRequest,
  RevokeIssuedRequest,
  RevokeRequest,
  Signer,
} from '../../../primary/signer/sdk.ts'
import type { MintEvent, Named } from '../../history/event.ts'
import type { Random } from '../random.ts'
import type { ShownToken } from './asker.ts'
import { monotonicMs } from './clock.ts'

type Kind = Named['kind']

export interface Victim {
  readonly kind: Kind
  readonly minted: MintEvent
  readonly shown: readonly ShownToken[]
  readonly sinceMs: number
}

/** What is revoked, and every token that is known to end with it. */
export interface Doom {
  readonly named: Named
  readonly victims: readonly Victim[]
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

export class Victims {
  #waiting: readonly Victim[] = []

  add(victim: Victim): void {
    this.#waiting = [...this.#waiting, victim]
  }

  /** Undefined while none has waited long enough. */
  pick(random: Random): Doom | undefined {
    const victim = random.pick(this.#waiting.filter(({ sinceMs }) => monotonicMs() - sinceMs > SHOWN_BEFORE_MS))
    if (victim === undefined) return undefined
    const victims = this.#waiting.filter((other) => endsWith(other, victim))
    this.#waiting = this.#waiting.filter((other) => !victims.includes(other))
    return { named: namedBy(victim), victims }
  }
}

/** An org that is disabled does not come back: the next one has another name. */
export function disabledOrg(count: number): string {
  return `umbrella-${count}`
}

/** Up to the token's own moment: that it is hit, and the next one is not, can be told in the same breath. */
function namedBy({ kind, minted: { id, org, subject, kid, issuedMs: untilMs } }: Victim): Named {
  if (kind === 'token') return { kind, id }
  if (kind === 'subject') return { kind, org, subject, untilMs }
  if (kind === 'disabled') return { kind, org }
  return kind === 'org' ? { kind, org, untilMs } : { kind, kid }
}

function endsWith({ minted: other }: Victim, { kind, minted }: Victim): boolean {
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
