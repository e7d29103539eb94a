/**
 * *Clear*: judges the caveats of an authenticated macaroon against the facts of one access. All must allow it, so a
 * caveat more can only refuse more; several on one key intersect.
 */
import type { Caveat } from '../macaroon/macaroon.ts'
import { PredicateCache } from '../macaroon/predicate/cache.ts'
import type { Predicate, StalenessPredicate, TimePredicate, ValuePredicate } from '../macaroon/predicate/predicate.ts'
import type { VerifiedMacaroon } from '../macaroon/signature.ts'
import type { Facts } from './access.ts'
import { type Refused, refused } from './verdict.ts'

export interface Cleared {
  readonly ok: true
  readonly notes: readonly string[]
}

const predicates = new PredicateCache()

/** Never throws. Reasons: `third_party_unsupported`, `caveat_unknown`, `caveat_refused`, `unavailable` (staleness). */
export function clearCaveats(macaroon: VerifiedMacaroon, facts: Facts): Cleared | Refused {
  const notes: string[] = []
  let stale: Refused | undefined
  for (const caveat of macaroon.caveats) {
    const refusal = clearOne(caveat, facts, notes)
    // A fresher state may still be had, so a caveat that refuses for good comes first, whatever their order.
    if (refusal?.reason === 'unavailable') stale = fresherOf(stale, refusal)
    else if (refusal !== undefined) return refusal
  }
  return stale ?? { ok: true, notes }
}

function clearOne(caveat: Caveat, facts: Facts, notes: string[]): Refused | undefined {
  if (caveat.vid !== undefined) return thirdParty(caveat)
  const { text, predicate } = predicates.compile(caveat.cid)
  if (predicate.kind === 'unknown') return unknownCaveat(text, predicate.wanted)
  if (predicate.kind === 'note') notes.push(predicate.text)
  return clearPredicate(predicate, facts, text)
}

function clearPredicate(predicate: Predicate, facts: Facts, caveat: string): Refused | undefined {
  switch (predicate.kind) {
    case 'value':
      return clearValue(predicate, facts, caveat)
    case 'time':
      return allowsTime(predicate, facts) ? undefined : caveatRefused('the time is outside', caveat, predicate.wanted)
    case 'staleness':
      return clearStaleness(predicate, facts, caveat)
    case 'note':
      return undefined
  }
}

function clearValue(predicate: ValuePredicate, facts: Facts, caveat: string): Refused | undefined {
  const { key, conditional, wanted } = predicate
  const asked = facts.values.get(key)
  if (asked === undefined) return conditional ? undefined : caveatRefused(`${key} is not stated`, caveat, wanted)
  return asked.every(predicate.allows) ? undefined : caveatRefused(`${key} is not allowed`, caveat, wanted)
}

/** Written so that a time that is no number refuses. */
function allowsTime({ bound, inclusive, instantMs }: TimePredicate, facts: Facts): boolean {
  if (bound === 'upper') return inclusive ? facts.nowLatestMs <= instantMs : facts.nowLatestMs < instantMs
  return inclusive ? facts.nowEarliestMs >= instantMs : facts.nowEarliestMs > instantMs
}

function clearStaleness(
  { limitMs, inclusive, wanted }: StalenessPredicate,
  facts: Facts,
  caveat: string,
): Refused | undefined {
  const { stalenessMs = Infinity } = facts
  if (inclusive ? stalenessMs <= limitMs : stalenessMs < limitMs) return undefined
  const details = { caveat, wanted, stalenessWantedMs: limitMs }
  return refused('unavailable', 'the state of this node is older than a caveat allows', details)
}

function fresherOf(a: Refused | undefined, b: Refused): Refused {
  return (a?.stalenessWantedMs ?? Infinity) <= (b.stalenessWantedMs ?? Infinity) ? (a ?? b) : b
}

function thirdParty({ location = '' }: Caveat): Refused {
  const details = location === '' ? {} : { wanted: `a discharge from ${location}` }
  return refused('third_party_unsupported', 'the token has a third-party caveat, which is not supported yet', details)
}

function unknownCaveat(caveat: string, wanted: string): Refused {
  return refused('caveat_unknown', 'a caveat is not understood, so it refuses', { caveat, wanted })
}

function caveatRefused(why: string, caveat: string, wanted: string): Refused {
  return refused('caveat_refused', `a caveat refused: ${why}`, { caveat, wanted })
}
