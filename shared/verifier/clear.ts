/**
 * *Clear*: judges the caveats of a verified token and of the discharges that it needs. All of them must allow the access, so
 * a further caveat can only refuse more, and several caveats on one key intersect. Any of several discharges may serve a
 * third-party caveat, and each serves only one: the token clears if some choice of discharges does.
 */
import type { Caveat } from '../macaroon/macaroon.ts'
import type { VerifiedMacaroon } from '../macaroon/signature.ts'
import type { CaveatJudge } from './caveat-judge.ts'
import { Search, type Served } from './search.ts'
import type { CaveatTrace } from './trace.ts'
import type { Refused } from './verdict.ts'
import type { VerifiedNode } from './verified-bundle.ts'
import type { WorkBudget } from './work.ts'

/** A discharge that served a third-party caveat. */
export interface UsedDischarge {
  /** The third-party caveat. */
  readonly caveat: Caveat
  readonly discharge: VerifiedMacaroon
  /** Position in the bundle, from 1. */
  readonly index: number
  /** Ids of `presented` caveats at its beginning. Trust them only if all discharges of this third party begin with some. */
  readonly presented: readonly string[]
  /** Discharges for its own third-party caveats, in their order. */
  readonly used: readonly UsedDischarge[]
}

export type { CaveatJudge } from './caveat-judge.ts'

export interface ClearedBundle {
  readonly ok: true
  /** Notes of the token, then of the discharges used. */
  readonly notes: readonly string[]
  /** Presented tokens of all discharges used, even for a caveat that a holder appended. `used` has them per caveat. */
  readonly presented: readonly string[]
  /** Discharges for the third-party caveats of the token, in their order. */
  readonly used: readonly UsedDischarge[]
}

export interface ClearOptions {
  readonly judge: CaveatJudge
  readonly work: WorkBudget
  /** If given, every caveat is judged and recorded here, in order. Otherwise judging stops at the first refusal. */
  readonly trace?: CaveatTrace[]
}

/** Refuses with the judge's reasons, `discharge_missing`, `discharge_invalid`, `verifier_id_invalid` or `work_exceeded`. */
export function clearBundle(root: VerifiedNode, { judge, work, trace }: ClearOptions): ClearedBundle | Refused {
  const found = new Search(judge, work).run(root, trace)
  if (!('served' in found)) return found
  const [token, ...discharges] = found.served
  if (token !== undefined && discharges.length === 0)
    return { ok: true, notes: token.own.notes, presented: [], used: [] }
  return {
    ok: true,
    notes: found.served.flatMap(({ own }) => own.notes),
    presented: discharges.flatMap(({ own }) => own.presented),
    used: usedBy(token, discharges),
  }
}

function usedBy(parent: Served | undefined, discharges: readonly Served[]): readonly UsedDischarge[] {
  return discharges
    .filter((served) => served.parent === parent)
    .flatMap((served) => {
      const { caveat, node, own } = served
      if (caveat === undefined) return []
      const { macaroon: discharge, index } = node
      return { caveat, discharge, index, presented: own.presented, used: usedBy(served, discharges) }
    })
}
