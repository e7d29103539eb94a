/**
 * Finds, for every third-party caveat, a discharge that clears and serves no other caveat. Depth first, in the order of
 * the bundle; a choice that leaves another caveat without a discharge is taken back. That could take very long, so
 * every discharge that is tried counts as work.
 */
import type { Caveat } from '../macaroon/macaroon.ts'
import type { CaveatJudge, CaveatVerdict } from './caveat-judge.ts'
import type { CaveatTrace, DischargeTrace } from './trace.ts'
import { type Refused, refused } from './verdict.ts'
import { thirdPartyOf, type VerifiedNode, type VerifiedThirdParty } from './verified-bundle.ts'
import { type WorkBudget, workExceeded } from './work.ts'

/** First-party caveats of one macaroon: judged once, however often the macaroon is tried. */
export interface OwnCaveats {
  readonly refusal: Refused | undefined
  readonly notes: readonly string[]
  /** Means something of a discharge only. */
  readonly presented: readonly string[]
}

/** The token, or a discharge that serves a caveat of `parent`. */
export interface Served {
  readonly node: VerifiedNode
  readonly own: OwnCaveats
  readonly caveat?: Caveat
  readonly parent?: Served
}

/** What is left to do: why it cannot be done, or undefined when everything clears. */
type Rest = () => Refused | undefined

const NOTHING: Rest = () => undefined

export class Search {
  readonly #judge: CaveatJudge
  readonly #work: WorkBudget
  readonly #own = new Map<VerifiedNode, OwnCaveats>()
  /** The choice so far, the token first. */
  readonly #taken: Served[] = []
  /** Discharges whose caveats stand in the trace already: tried again, they are not told again. */
  readonly #told = new Set<number>()
  /** Set for the second search: caveats that want a fresher state pass. */
  #lenient = false
  #stale = false
  /** The refusal that the longest choice ended with: the nearest to an acceptance. */
  #furthest: { readonly taken: number; readonly refusal: Refused } | undefined

  constructor(judge: CaveatJudge, work: WorkBudget) {
    this.#judge = judge
    this.#work = work
  }

  /** The token and the discharges that serve it, each behind the one whose caveat it serves. With a trace every caveat is judged, each on its own. */
  run(root: VerifiedNode, trace?: CaveatTrace[]): { readonly served: readonly Served[] } | Refused {
    const refusal = this.#clear({ node: root, own: this.#ownCaveats(root, trace) }, 0, NOTHING, trace)
    if (refusal === undefined) return { served: this.#taken }
    if (this.#stale && trace === undefined && !this.#work.exceeded) {
      const unavailable = this.#onFresherState(root)
      if (unavailable !== undefined) return unavailable
    }
    return this.#work.exceeded ? workExceeded() : (this.#furthest?.refusal ?? refusal)
  }

  /** Nothing is refused for good while there is a choice that only a fresher state stands against. */
  #onFresherState(root: VerifiedNode): Refused | undefined {
    this.#lenient = true
    this.#taken.length = 0
    if (this.#clear({ node: root, own: this.#ownCaveats(root) }, 0, NOTHING) !== undefined) return undefined
    return this.#taken.flatMap(({ own }) => own.refusal ?? []).reduce(fresher)
  }

  /** `depth` discharges stand between the token and this macaroon, itself included. */
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
        : this.#tell(served, thirdParties, depth + 1, trace)
    return stops ? refusal : failed
  }

  /** Each caveat gets a discharge with which all that is left clears too. */
  #serve(served: Served, thirdParties: readonly CaveatIndex[], depth: number, rest: Rest): Refused | undefined {
    const [first, ...others] = thirdParties
    if (first === undefined) return rest()
    return this.#choose(served, first[1], depth, () => this.#serve(served, others, depth, rest))
  }

  /** Each caveat gets the first discharge that clears: what an explanation shows. */
  #tell(
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
      // Discharges for one caveat that need none themselves are as good as each other: it is the rest that fails.
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

  #try(
    parent: Served,
    node: VerifiedNode,
    caveat: Caveat,
    depth: number,
    rest: Rest,
    trace?: DischargeTrace[],
  ): Refused | undefined {
    if (!this.#work.spendTrial()) return workExceeded()
    if (depth > this.#work.limits.depth) return this.#note(tooDeep(caveat))
    const caveats: CaveatTrace[] | undefined = trace === undefined || this.#told.has(node.index) ? undefined : []
    this.#told.add(node.index)
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

  #judgeOwn(node: VerifiedNode, trace: CaveatTrace[] | undefined, caveat: Caveat | undefined): OwnCaveats {
    let refusal: Refused | undefined
    const notes: string[] = []
    const presented: string[] = []
    for (const [place, { cid, vid }] of node.macaroon.caveats.entries()) {
      if (vid !== undefined) continue
      const verdict = this.#judge.judge(cid)
      if (trace !== undefined) trace[place] = this.#traceOf(cid, verdict)
      if (!verdict.ok) refusal = graver(refusal, verdict)
      else if (verdict.note !== undefined) notes.push(verdict.note)
      // Whoever holds a discharge can append to it, so what stands behind anything else is not the third party's word.
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

type CaveatIndex = readonly [number, VerifiedThirdParty]

/** A fresher state may still be had, so what refuses for good comes first, whatever the order of the caveats. */
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

function whyUndischarged({ caveat, readable, candidates, rejected }: VerifiedThirdParty): Refused {
  const thirdParty = thirdPartyOf(caveat)
  const details = { thirdParty, wanted: `a discharge${thirdParty.location && ` from ${thirdParty.location}`}` }
  if (!readable) {
    return refused('verifier_id_invalid', 'a third-party caveat holds no key, so nothing can discharge it', details)
  }
  if (candidates.length > 0) {
    return refused('discharge_missing', 'a discharge serves another caveat already, and each counts once', details)
  }
  if (rejected.length > 0) {
    return refused('discharge_invalid', 'a discharge does not match its caveat, or is not bound to this token', details)
  }
  return refused('discharge_missing', 'a third-party caveat is not discharged', details)
}

function tooDeep(caveat: Caveat): Refused {
  return refused('work_exceeded', 'discharges stand too deep behind one another', { thirdParty: thirdPartyOf(caveat) })
}
