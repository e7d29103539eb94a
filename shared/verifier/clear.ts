/**
 * *Clear*: judges the caveats of an authenticated token and of the discharges it needs. All must allow the access, so a
 * caveat more can only refuse more; several on one key intersect. Of several discharges for one third-party caveat any
 * one may serve it, and each serves one caveat: it clears when there is a choice of discharges in which all clear.
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
  /** Place in the bundle, from 1. */
  readonly index: number
  /** Tokens that were presented to this third party, in its own words where its discharges always begin with them. */
  readonly presented: readonly string[]
  /** For its own third-party caveats, in their order. */
  readonly used: readonly UsedDischarge[]
}

export type { CaveatJudge } from './caveat-judge.ts'

export interface Cleared {
  readonly ok: true
  /** Of the token, then of the discharges used. */
  readonly notes: readonly string[]
  /** Of all discharges used, also of those for a third-party caveat that a holder added: `used` tells them apart. */
  readonly presented: readonly string[]
  /** For the third-party caveats of the token, in their order. */
  readonly used: readonly UsedDischarge[]
}

export interface ClearOptions {
  readonly judge: CaveatJudge
  readonly work: WorkBudget
  /** Filled with every caveat, in their order; nothing stops at the first refusal then. */
  readonly trace?: CaveatTrace[]
}

/** Reasons beside the judge's own: `discharge_missing`, `discharge_invalid`, `verifier_id_invalid`, `work_exceeded`. */
export function clearBundle(root: VerifiedNode, { judge, work, trace }: ClearOptions): Cleared | Refused {
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
