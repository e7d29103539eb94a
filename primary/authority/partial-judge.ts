/**
 * Judges the caveats of a token from which a discharge or a service token is made. A caveat that can be decided now is
 * decided, and may refuse. A caveat that only the later use can decide passes, and the new token must carry it. A caveat that
 * this version does not understand refuses, because carrying it may not be enough.
 */
import type { Predicate } from '../../shared/macaroon/predicate/predicate.ts'
import type { ForeignFacts } from '../../shared/verifier/access.ts'
import type { CaveatJudge } from '../../shared/verifier/caveat-judge.ts'
import { judgeByFacts, judgeCompiled, predicateOf } from '../../shared/verifier/facts-judge.ts'
import type { TokenTables } from '../../shared/verifier/revocation-status.ts'

/**
 * The judge never throws. Its reasons: `caveat_unknown`, `caveat_refused`, and the reasons that a named token is refused for.
 */
export function judgePartially(facts: ForeignFacts, tables: TokenTables): CaveatJudge {
  return {
    ...judgeByFacts(facts, tables),
    judge: (caveat, work) => {
      const compiled = predicateOf(caveat)
      const { predicate } = compiled
      if (predicate.kind !== 'unknown' && isUndecided(predicate, facts)) return { ok: true }
      return judgeCompiled(compiled, { facts, tables, work })
    },
  }
}

/** True if neither the access nor this node knows the value that the predicate is about. */
function isUndecided(predicate: Predicate, { values }: ForeignFacts): boolean {
  if (predicate.kind === 'value') return !values.has(predicate.key)
  return predicate.kind === 'staleness'
}

/**
 * True if the access alone decides a caveat: it has cleared, and the new token need not carry it. False for caveats on time,
 * place and presenter, because the later use has other values.
 */
export function accessDecides(caveat: Uint8Array, stated: ReadonlySet<string>): boolean {
  const { predicate } = predicateOf(caveat)
  return predicate.kind === 'value' && stated.has(predicate.key)
}

/** True for a caveat that fails once a time has passed. */
export function isUpperTimeBound(caveat: Uint8Array): boolean {
  const { predicate } = predicateOf(caveat)
  return predicate.kind === 'time' && predicate.bound === 'upper'
}
