/**
 * Judges the caveats of a token that is not used now, but made into something else: a discharge, or a service token.
 * What can be decided is decided, and refuses as ever; what only the later use can decide passes, and is for the new
 * token to carry on. A caveat that is not understood refuses: nobody can say whether carrying it on is enough.
 */
import type { Predicate } from '../../shared/macaroon/predicate/predicate.ts'
import type { ForeignFacts } from '../../shared/verifier/access.ts'
import type { CaveatJudge } from '../../shared/verifier/caveat-judge.ts'
import { judgeByFacts, predicateOf } from '../../shared/verifier/facts-judge.ts'
import type { TokenTables } from '../../shared/verifier/revocation-status.ts'

/** Never throws. Reasons: `caveat_unknown`, `caveat_refused`, and those of a named token. */
export function judgeWhatIsKnown(facts: ForeignFacts, tables: TokenTables): CaveatJudge {
  const whole = judgeByFacts(facts, tables)
  return {
    ...whole,
    judge: (caveat) => {
      const { predicate } = predicateOf(caveat)
      return predicate.kind !== 'unknown' && isOpen(predicate, facts) ? { ok: true } : whole.judge(caveat)
    },
  }
}

/** Neither the access nor the node that judges now says anything of it. */
function isOpen(predicate: Predicate, { values }: ForeignFacts): boolean {
  if (predicate.kind === 'value') return !values.has(predicate.key)
  return predicate.kind === 'staleness'
}

/**
 * True when the access alone decides a caveat, now and for good: it has cleared, and there is nothing to carry on. Time,
 * place and presenter are the node's to state, and will be others later.
 */
export function accessDecides(caveat: Uint8Array, stated: ReadonlySet<string>): boolean {
  const { predicate } = predicateOf(caveat)
  return predicate.kind === 'value' && stated.has(predicate.key)
}

/** True for a bound that the passing of time will break. */
export function isUpperTimeBound(caveat: Uint8Array): boolean {
  const { predicate } = predicateOf(caveat)
  return predicate.kind === 'time' && predicate.bound === 'upper'
}
