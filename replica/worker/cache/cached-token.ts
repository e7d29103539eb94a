/**
 * One entry of the cache: a verified bundle with its compiled caveats, so that it can be judged again for another access. The
 * result of clearing is never cached. An entry is as secret as the token itself: it stays in memory, and out of every log.
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
  /** The whole text, with which an exact hit must be identical. */
  readonly text: string
  readonly identifier: TokenIdentifier
  readonly org: string
  readonly macaroon: Macaroon
  /** First-party caveats of the token that must be judged: all except `note` and `presented`. */
  readonly own: readonly CompiledCaveat[]
  /** First-party caveats that must be judged, of the discharges that answer its third-party caveats. */
  readonly discharged: readonly CompiledCaveat[]
  /** True if it has no third-party caveat. Otherwise an attenuated token needs discharges that are bound to itself. */
  readonly extendable: boolean
  /** The verdict if all of them clear. It does not depend on the access. */
  readonly accepted: Accepted
  /** An estimate of its memory. */
  readonly bytes: number
}

/** A worker cannot judge a caveat of this kind, because only a replica knows if the named token is revoked. */
const ONLY_AT_REPLICA = 'unrevoked'

/**
 * Makes an entry from a text that a replica has just accepted. Undefined in two cases, in which the worker could not judge like
 * the replica. The first: a caveat names another token. The second: two discharges have the same ticket, so a replica may
 * choose a different one for each access. Otherwise each third-party caveat has only one discharge, which the replica used.
 */
export function fromAccepted(text: string, verdict: Accepted): CachedToken | undefined {
  const [macaroon, ...discharges] = decodeBundle(text)
  assert(macaroon !== undefined, 'a bundle has a token')
  const byTicket = new Map(discharges.map((discharge) => [latin1(discharge.identifier), discharge]))
  if (byTicket.size < discharges.length) return undefined
  const used = dischargesFor(macaroon, byTicket)
  if (used === undefined) return undefined
  return entryOf({ text, macaroon, used, identifier: decodeIdentifier(macaroon.identifier), org: verdict.org })
}

/** Makes an entry from a macaroon whose chain was verified to extend that of `parent`. */
export function fromParent(text: string, macaroon: Macaroon, parent: CachedToken): CachedToken | undefined {
  const { identifier, org } = parent
  return entryOf({ text, macaroon, used: [], identifier, org })
}

interface Parts {
  readonly text: string
  readonly macaroon: Macaroon
  /** Discharges, each after the macaroon whose caveat it serves. */
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
    // A copy, because the caller's text may be a slice that keeps a whole request in memory.
    text: Buffer.from(text, 'latin1').toString('latin1'),
    identifier,
    org,
    macaroon,
    own: own.filter(mustBeJudged),
    discharged: discharged.filter(mustBeJudged),
    extendable: macaroon.caveats.every(({ vid }) => vid === undefined),
    accepted: accepted({ identifier, macaroon }, { org }, cleared),
    bytes: BYTES_A_TOKEN + 3 * text.length + BYTES_A_CAVEAT * (own.length + discharged.length),
  }
}

/** Memory of an entry beside its text, measured with a million entries. */
const BYTES_A_TOKEN = 1_600
const BYTES_A_CAVEAT = 400

/** The discharges in the depth-first order of the verifier's search. Undefined if a caveat has none left, as in a cycle. */
function dischargesFor(macaroon: Macaroon, byTicket: ReadonlyMap<string, Macaroon>): readonly Macaroon[] | undefined {
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

/** Only `presented` caveats at the beginning of a discharge can be the third party's: a holder appends at the end. */
function presentedBy({ caveats }: Macaroon): readonly TokenId[] {
  const front: TokenId[] = []
  for (const caveat of caveats) {
    const id = presentedIn(caveat)
    if (id === undefined) break
    front.push(id)
  }
  return front
}

function presentedIn({ cid, vid }: Caveat): TokenId | undefined {
  if (vid !== undefined) return undefined
  const { predicate } = compileCaveat(cid)
  return predicate.kind === 'presented' ? predicate.id : undefined
}

function mustBeJudged({ predicate }: CompiledCaveat): boolean {
  return predicate.kind !== 'note' && predicate.kind !== 'presented'
}

/** One character per byte, as the key of a Map. The text is never shown. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}
