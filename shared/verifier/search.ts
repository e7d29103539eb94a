/**
 * Finds, for every third-party caveat, a discharge that clears and serves no other caveat. The search is depth first in the
 * order of the bundle, and backtracks from a choice that leaves another caveat without a discharge. It could take
 * exponential time, so every attempt counts against the limits on work.
 */
import type { Caveat } from '../macaroon/macaroon.ts'
import type { CaveatJudge, CaveatVerdict } from './caveat-judge.ts'
import type { CaveatTrace, DischargeTrace } from './trace.ts'
import { type Refused, refused } from './verdict.ts'
import { thirdPartyOf, type VerifiedNode, type VerifiedThirdParty } from './verified-bundle.ts'
import { type WorkBudget, workExceeded } from './work.ts'

/** The judged first-party caveats of one macaroon. They are judged once, however often the macaroon is tried. */
export interface OwnCaveats {
  readonly refusal: Refused | undefined
  readonly notes: readonly string[]
  /** Ids of `presented` caveats at its beginning. They have a meaning only in a discharge. */
  readonly presented: readonly string[]
}

/** The token, or a discharge that serves a caveat of `parent`. */
export interface Served {
  readonly node: VerifiedNode
  readonly own: OwnCaveats
  readonly caveat?: Caveat
  readonly parent?: Served
}

/** The rest of the search. Returns a refusal, or undefined if everything clears. */
type Rest = () => Refused | undefined

const NOTHING: Rest = () => undefined

export class Search {
  readonly #judge: CaveatJudge
  readonly #work: WorkBudget
  readonly #own = new Map<VerifiedNode, OwnCaveats>()
  /** The current choice, the token first. */
  readonly #taken: Served[] = []
  /** Indexes of the discharges whose caveats are in the trace already, so that a second attempt does not repeat them. */
  readonly #traced = new Set<number>()
  /** True in the second search, in which caveats that need a fresher state pass. */
  #lenient = false
  #stale = false
  /** The refusal of the longest choice, which came closest to acceptance. */
  #furthest: { readonly taken: number; readonly refusal: Refused } | undefined

  constructor(judge: CaveatJudge, work: WorkBudget) {
    this.#judge = judge
    this.#work = work
  }

  /**
   * Returns the token and the discharges that serve it, each after the macaroon whose caveat it serves. With a trace, every
   * caveat is judged on its own, and judging does not stop at a refusal.
   */
  run(root: VerifiedNode, trace?: CaveatTrace[]): { readonly served: readonly Served[] } | Refused {
    const refusal = this.#clear({ node: root, own: this.#ownCaveats(root, trace) }, 0, NOTHING, trace)
    if (refusal === undefined) return { served: this.#taken }
    if (this.#stale && trace === undefined && !this.#work.exceeded) {
      const unavailable = this.#onFresherState(root)
      if (unavailable !== undefined) return unavailable
    }
    return this.#work.exceeded ? workExceeded(this.#work) : (this.#furthest?.refusal ?? refusal)
  }

  /** Searches again as if the state were fresh. If that clears, the verdict is `unavailable` instead of a final refusal. */
  #onFresherState(root: VerifiedNode): Refused | undefined {
    this.#lenient = true
    this.#taken.length = 0
    if (this.#clear({ node: root, own: this.#ownCaveats(root) }, 0, NOTHING) !== undefined) return undefined
    return this.#taken.flatMap(({ own }) => own.refusal ?? []).reduce(fresher)
  }

  /** `depth` is the number of discharges on the way from the token to this macaroon, including this one. */
  #clear(served: Served, depth: number, rest: Rest, trace?: CaveatTrace[]): Refused | undefined {
    const { refusal } = served.own
    const stops = refusal !== undefined && !this.#passes(served.own)
    if (stops) this.#note(refusal)
    if (stops && trace === undefined) return refusal
    this.#taken.push(served)
    if (served.node.thirdParties.size === 0) return stops ? refusal : rest()
    const thirdParties = [...served.node.thirdParties]
    const failed =
      trace === undefined
        ? this.#serve(served, thirdParties, depth + 1, rest)
        : this.#traceEach(served, thirdParties, depth + 1, trace)
    return stops ? refusal : failed
  }

  /** Gives each caveat a discharge with which the rest of the search also clears. */
  #serve(served: Served, thirdParties: readonly CaveatIndex[], depth: number, rest: Rest): Refused | undefined {
    const [first, ...others] = thirdParties
    if (first === undefined) return rest()
    return this.#choose(served, first[1], depth, () => this.#serve(served, others, depth, rest))
  }

  /** Gives each caveat the first discharge that clears. Explanations use this. */
  #traceEach(
    served: Served,
    thirdParties: readonly CaveatIndex[],
    depth: number,
    trace: CaveatTrace[],
  ): Refused | undefined {
    let refusal: Refused | undefined
    for (const [place, thirdParty] of thirdParties) {
      const discharges: DischargeTrace[] = []
      const failed = this.#choose(served, thirdParty, depth, NOTHING, discharges)
      trace[place] = thirdPartyTrace(thirdParty, failed, discharges)
      refusal ??= failed
    }
    return refusal
  }

  /** Tries the discharges for one caveat in the order of the bundle, until one clears together with the rest. */
  #choose(
    parent: Served,
    thirdParty: VerifiedThirdParty,
    depth: number,
    rest: Rest,
    trace?: DischargeTrace[],
  ): Refused | undefined {
    for (const index of thirdParty.rejected) trace?.push({ index, outcome: 'not_authentic' })
    let refusal: Refused | undefined
    let leafFailed = false
    for (const node of thirdParty.candidates) {
      const leaf = node.thirdParties.size === 0
      // Leaf discharges for one caveat are interchangeable: if one cleared and the rest failed, another leaf fails too.
      if (leaf && leafFailed) continue
      if (this.#taken.some((served) => served.node === node)) {
        trace?.push({ index: node.index, outcome: 'used_before' })
        continue
      }
      const failed = this.#try(parent, node, thirdParty.caveat, depth, rest, trace)
      if (failed === undefined || this.#work.exceeded) return failed
      leafFailed ||= leaf && this.#passes(this.#ownCaveats(node))
      refusal ??= failed
    }
    if (refusal !== undefined) return refusal
    const undischarged = whyUndischarged(thirdParty)
    this.#note(undischarged)
    return undischarged
  }

  /** Tries one discharge. If it fails, the choices made under it are undone. */
  #try(
    parent: Served,
    node: VerifiedNode,
    caveat: Caveat,
    depth: number,
    rest: Rest,
    trace?: DischargeTrace[],
  ): Refused | undefined {
    if (!this.#work.spendTrial()) return workExceeded(this.#work)
    if (depth > this.#work.limits.depth) return this.#note(tooDeep(caveat))
    const caveats: CaveatTrace[] | undefined = trace === undefined || this.#traced.has(node.index) ? undefined : []
    this.#traced.add(node.index)
    const before = this.#taken.length
    const own = this.#ownCaveats(node, caveats, caveat)
    const failed = this.#clear({ node, own, caveat, parent }, depth, rest, caveats)
    trace?.push({ index: node.index, outcome: failed === undefined ? 'used' : 'refused', ...(caveats && { caveats }) })
    if (failed !== undefined) this.#taken.length = before
    return failed
  }

  #ownCaveats(node: VerifiedNode, trace?: CaveatTrace[], caveat?: Caveat): OwnCaveats {
    const own = this.#own.get(node) ?? this.#judgeOwn(node, trace, caveat)
    this.#own.set(node, own)
    return own
  }

  /** Judges the first-party caveats of one macaroon. Without a trace it stops at the first final refusal. */
  #judgeOwn(node: VerifiedNode, trace: CaveatTrace[] | undefined, caveat: Caveat | undefined): OwnCaveats {
    let refusal: Refused | undefined
    const notes: string[] = []
    const presented: string[] = []
    for (const [place, { cid, vid }] of node.macaroon.caveats.entries()) {
      if (vid !== undefined) continue
      const verdict = this.#judge.judge(cid, this.#work)
      if (trace !== undefined) trace[place] = this.#traceOf(cid, verdict)
      if (!verdict.ok) refusal = graver(refusal, verdict)
      else if (verdict.note !== undefined) notes.push(verdict.note)
      // A holder of the discharge can append caveats, so only `presented` at its beginning can be the third party's word.
      else if (verdict.presented !== undefined && place === presented.length) presented.push(verdict.presented)
      if (trace === undefined && refusal !== undefined && refusal.reason !== 'unavailable') break
    }
    const named = refusal && caveat ? { thirdParty: thirdPartyOf(caveat), ...refusal } : refusal
    return { refusal: named, notes, presented }
  }

  #passes({ refusal }: OwnCaveats): boolean {
    return refusal === undefined || (this.#lenient && refusal.reason === 'unavailable')
  }

  #traceOf(cid: Uint8Array, verdict: CaveatVerdict): CaveatTrace {
    const described = this.#judge.describe(cid)
    return verdict.ok ? { ...described, outcome: 'cleared' } : { ...described, ...refusalTrace(verdict) }
  }

  #note(refusal: Refused): Refused {
    const taken = this.#taken.length
    if (refusal.reason === 'unavailable') this.#stale = true
    else if (this.#furthest === undefined || taken > this.#furthest.taken) this.#furthest = { taken, refusal }
    return refusal
  }
}

/** A third-party caveat with its index among the caveats of its macaroon. */
type CaveatIndex = readonly [number, VerifiedThirdParty]

/** A final refusal wins over `unavailable`, whatever the order of the caveats, because a retry cannot change it. */
function graver(a: Refused | undefined, b: Refused): Refused {
  if (a === undefined) return b
  if (a.reason !== 'unavailable') return a
  return b.reason === 'unavailable' ? fresher(a, b) : b
}

function fresher(a: Refused, b: Refused): Refused {
  return (a.stalenessWantedMs ?? Infinity) <= (b.stalenessWantedMs ?? Infinity) ? a : b
}

function refusalTrace(refusal: Refused): { readonly outcome: 'refused' | 'unavailable'; readonly refusal: Refused } {
  return { outcome: refusal.reason === 'unavailable' ? 'unavailable' : 'refused', refusal }
}

function thirdPartyTrace(
  { caveat }: VerifiedThirdParty,
  refusal: Refused | undefined,
  discharges: readonly DischargeTrace[],
): CaveatTrace {
  const thirdParty = thirdPartyOf(caveat)
  const outcome = refusal === undefined ? ({ outcome: 'cleared' } as const) : refusalTrace(refusal)
  return { caveat: `third party ${thirdParty.ticket}`, ...outcome, thirdParty, discharges }
}

/** The reason why no discharge of the bundle serves a third-party caveat. */
function whyUndischarged({ caveat, readable, candidates, rejected }: VerifiedThirdParty): Refused {
  const thirdParty = thirdPartyOf(caveat)
  const details = { thirdParty, wanted: `a discharge${thirdParty.location && ` from ${thirdParty.location}`}` }
  if (!readable) {
    return refused('verifier_id_invalid', 'a third-party caveat holds no key, so nothing can discharge it', details)
  }
  if (candidates.length > 0) {
    return refused('discharge_missing', 'its discharge already serves another caveat, and serves only one', details)
  }
  if (rejected.length > 0) {
    return refused('discharge_invalid', 'a discharge does not match its caveat, or is not bound to this token', details)
  }
  return refused('discharge_missing', 'a third-party caveat is not discharged', details)
}

function tooDeep(caveat: Caveat): Refused {
  return refused('work_exceeded', 'discharges nest too deep', { thirdParty: thirdPartyOf(caveat) })
}
