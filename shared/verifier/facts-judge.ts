/** Judges first-party caveats by the facts of one access. A caveat that names a token is judged by the node's tables. */
import { type CompiledCaveat, PredicateCache } from '../macaroon/predicate/cache.ts'
import type {
  Predicate,
  StalenessPredicate,
  UnrevokedPredicate,
  ValuePredicate,
} from '../macaroon/predicate/predicate.ts'
import type { TimePredicate } from '../macaroon/predicate/time.ts'
import type { ForeignFacts } from './access.ts'
import type { Allowed, CaveatJudge, CaveatVerdict } from './caveat-judge.ts'
import { statusOfNamed, type TokenTables } from './revocation-status.ts'
import { type Refused, refused } from './verdict.ts'
import { type WorkBudget, workExceeded } from './work.ts'

/** Shared by all verifications of the process, because tokens of one service repeat the same caveats. */
const predicates = new PredicateCache()

/** The compiled caveat, from the shared cache. */
export function predicateOf(caveat: Uint8Array): CompiledCaveat {
  return predicates.compile(caveat)
}

const ALLOWED: Allowed = { ok: true }

/** Never throws. Refuses with `caveat_unknown`, `caveat_refused`, `unavailable`, `work_exceeded`, or as a named token is. */
export function judgeByFacts(facts: ForeignFacts, tables: TokenTables): CaveatJudge {
  return {
    judge: (caveat, work) => judgeCompiled(predicates.compile(caveat), { facts, tables, work }),
    describe: (caveat) => {
      const { text, predicate } = predicates.compile(caveat)
      return 'wanted' in predicate ? { caveat: text, wanted: predicate.wanted } : { caveat: text }
    },
  }
}

/** Everything by which a caveat is judged, beside its own text. */
export interface Circumstances {
  readonly facts: ForeignFacts
  readonly tables: TokenTables
  readonly work: WorkBudget
}

/** Judges one caveat that is already compiled. */
export function judgeCompiled({ text, predicate }: CompiledCaveat, circumstances: Circumstances): CaveatVerdict {
  if (predicate.kind === 'unknown') return unknownCaveat(text, predicate.wanted)
  return judgePredicate(predicate, text, circumstances)
}

function judgePredicate(predicate: Predicate, caveat: string, { facts, tables, work }: Circumstances): CaveatVerdict {
  switch (predicate.kind) {
    case 'value':
      return judgeValue(predicate, caveat, facts, work)
    case 'time':
      return allowsTime(predicate, facts) ? ALLOWED : caveatRefused('the time is outside', caveat, predicate.wanted)
    case 'staleness':
      return judgeStaleness(predicate, facts, caveat)
    case 'note':
      return { ok: true, note: predicate.text }
    case 'presented':
      return { ok: true, presented: predicate.id }
    case 'unrevoked':
      return judgeNamed(predicate, tables, caveat)
  }
}

/** A caveat on a key that the access lacks refuses, unless it is conditional (`key?`). Every value must be allowed. */
function judgeValue(predicate: ValuePredicate, caveat: string, facts: ForeignFacts, work: WorkBudget): CaveatVerdict {
  const { key, conditional, wanted } = predicate
  const asked = facts.values.get(key)
  if (asked === undefined) return conditional ? ALLOWED : caveatRefused(`${key} is not stated`, caveat, wanted)
  if (!work.spendComparisons(asked.length)) return workExceeded(work)
  return asked.every(predicate.allows) ? ALLOWED : caveatRefused(`${key} is not allowed`, caveat, wanted)
}

/** The comparisons are written so that NaN refuses. */
function allowsTime({ bound, inclusive, instantMs }: TimePredicate, facts: ForeignFacts): boolean {
  if (bound === 'upper') return inclusive ? facts.nowLatestMs <= instantMs : facts.nowLatestMs < instantMs
  return inclusive ? facts.nowEarliestMs >= instantMs : facts.nowEarliestMs > instantMs
}

/** Refuses with `unavailable`, because a node with a fresher state may accept. An unknown age counts as infinite. */
function judgeStaleness(
  { limitMs, inclusive, wanted }: StalenessPredicate,
  facts: ForeignFacts,
  caveat: string,
): CaveatVerdict {
  const { stalenessMs = Infinity } = facts
  if (inclusive ? stalenessMs <= limitMs : stalenessMs < limitMs) return ALLOWED
  const details = { caveat, wanted, stalenessWantedMs: limitMs }
  return refused('unavailable', 'the state of this node is older than a caveat allows', details)
}

function judgeNamed(predicate: UnrevokedPredicate, tables: TokenTables, caveat: string): CaveatVerdict {
  const refusal = statusOfNamed(predicate, tables)
  return refusal === undefined ? ALLOWED : { ...refusal, caveat, wanted: predicate.wanted }
}

function unknownCaveat(caveat: string, wanted: string): Refused {
  return refused('caveat_unknown', 'a caveat is not understood, so it refuses', { caveat, wanted })
}

function caveatRefused(why: string, caveat: string, wanted: string): Refused {
  return refused('caveat_refused', `a caveat refused: ${why}`, { caveat, wanted })
}
