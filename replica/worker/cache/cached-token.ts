/**
 * A bundle that was verified, with everything that is needed to judge it once more: its compiled caveats, but no verdict.
 * What came out of clearing is never kept. An entry is as good as the token itself: it lives in memory, and in no log.
 */
import { assert } from '../../../shared/errors.ts'
import type { TokenId } from '../../../shared/ids.ts'
import { decodeBundle } from '../../../shared/macaroon/bundle.ts'
import { decodeIdentifier, type TokenIdentifier } from '../../../shared/macaroon/identifier.ts'
import type { Caveat, Macaroon } from '../../../shared/macaroon/macaroon.ts'
import { compileCaveat, type CompiledCaveat } from '../../../shared/macaroon/predicate/cache.ts'
import type { Accepted } from '../../../shared/verifier/verdict.ts'
import { accepted } from '../../../shared/verifier/verifier.ts'

export interface CachedToken {
  /** The whole text: what an exact hit is compared with. */
  readonly text: string
  readonly identifier: TokenIdentifier
  readonly org: string
  readonly macaroon: Macaroon
  /** First-party caveats of the token that an access decides: all but remarks. */
  readonly own: readonly CompiledCaveat[]
  /** The same of the discharges that serve its third-party caveats. */
  readonly discharged: readonly CompiledCaveat[]
  /** False where a third-party caveat stands: what is attenuated from it is bound to other discharges. */
  readonly extendable: boolean
  /** What is told when all of them clear; nothing in it depends on the access. */
  readonly accepted: Accepted
  /** An estimate of its memory. */
  readonly bytes: number
}

/** Caveats that a worker cannot judge: they name a token whose standing only a replica knows. */
const ONLY_AT_REPLICA = 'unrevoked'

/**
 * From the text that a replica has just accepted. Undefined where the worker could not judge it as the replica would:
 * with a caveat that names another token, or with two discharges for one ticket, between which a replica chooses anew for
 * every access. Otherwise each third-party caveat has one discharge that can serve it, and so that one did.
 */
export function fromAccepted(text: string, verdict: Accepted): CachedToken | undefined {
  const [macaroon, ...discharges] = decodeBundle(text)
  assert(macaroon !== undefined, 'a bundle has a token')
  const byTicket = new Map(discharges.map((discharge) => [latin1(discharge.identifier), discharge]))
  if (byTicket.size < discharges.length) return undefined
  const used = usedFor(macaroon, byTicket)
  if (used === undefined) return undefined
  return entryOf({ text, macaroon, used, identifier: decodeIdentifier(macaroon.identifier), org: verdict.org })
}

/** From a macaroon whose chain was found to go on from the tail of `parent`. */
export function fromParent(text: string, macaroon: Macaroon, parent: CachedToken): CachedToken | undefined {
  const { identifier, org } = parent
  return entryOf({ text, macaroon, used: [], identifier, org })
}

interface Parts {
  readonly text: string
  readonly macaroon: Macaroon
  /** Discharges, each behind the one whose caveat it serves. */
  readonly used: readonly Macaroon[]
  readonly identifier: TokenIdentifier
  readonly org: string
}

function entryOf({ text, macaroon, used, identifier, org }: Parts): CachedToken | undefined {
  const own = firstParty(macaroon)
  const ofDischarges = used.map(firstParty)
  const discharged = ofDischarges.flat()
  if ([...own, ...discharged].some(({ predicate }) => predicate.kind === ONLY_AT_REPLICA)) return undefined
  const cleared = {
    notes: [...own, ...discharged].flatMap(({ predicate }) => (predicate.kind === 'note' ? [predicate.text] : [])),
    presented: used.flatMap(presentedBy),
  }
  return {
    // A copy: the caller's may be a part of a whole request, which it would keep in memory.
    text: Buffer.from(text, 'latin1').toString('latin1'),
    identifier,
    org,
    macaroon,
    own: own.filter(isDecided),
    discharged: discharged.filter(isDecided),
    extendable: macaroon.caveats.every(({ vid }) => vid === undefined),
    accepted: accepted({ identifier, macaroon }, { org }, cleared),
    bytes: BYTES_A_TOKEN + 3 * text.length + BYTES_A_CAVEAT * (own.length + discharged.length),
  }
}

/** Objects around the bytes, as measured with a million of them. */
const BYTES_A_TOKEN = 1_600
const BYTES_A_CAVEAT = 400

/** Depth first, as the search takes them; a ticket that leads back to itself has no discharge that a verifier would take. */
function usedFor(macaroon: Macaroon, byTicket: ReadonlyMap<string, Macaroon>): readonly Macaroon[] | undefined {
  const left = new Map(byTicket)
  const used: Macaroon[] = []
  const take = ({ caveats }: Macaroon): boolean =>
    caveats.every(({ cid, vid }) => {
      if (vid === undefined) return true
      const ticket = latin1(cid)
      const discharge = left.get(ticket)
      if (discharge === undefined) return false
      left.delete(ticket)
      used.push(discharge)
      return take(discharge)
    })
  return take(macaroon) ? used : undefined
}

function firstParty({ caveats }: Macaroon): readonly CompiledCaveat[] {
  return caveats.flatMap(({ cid, vid }) => (vid === undefined ? [compileCaveat(cid)] : []))
}

/** Only what stands in front of a discharge is the third party's own word. */
function presentedBy({ caveats }: Macaroon): readonly TokenId[] {
  const front = caveats.map(presentedIn)
  const end = front.indexOf(undefined)
  return front.slice(0, end === -1 ? front.length : end).filter((id) => id !== undefined)
}

function presentedIn({ cid, vid }: Caveat): TokenId | undefined {
  if (vid !== undefined) return undefined
  const { predicate } = compileCaveat(cid)
  return predicate.kind === 'presented' ? predicate.id : undefined
}

function isDecided({ predicate }: CompiledCaveat): boolean {
  return predicate.kind !== 'note' && predicate.kind !== 'presented'
}

/** One character a byte: a key for a Map, never shown. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}
