/**
 * *Clear*: judges the caveats of an authenticated token and of the discharges it needs. All must allow the access, so a
 * caveat more can only refuse more; several on one key intersect. Of several discharges for one third-party caveat the
 * first one that clears counts, and each discharge counts once.
 */
import type { Caveat } from '../macaroon/macaroon.ts'
import type { VerifiedMacaroon } from '../macaroon/signature.ts'
import type { CaveatTrace, DischargeTrace } from './trace.ts'
import { isRefused, type Refused, refused } from './verdict.ts'
import { thirdPartyOf, type VerifiedNode, type VerifiedThirdParty } from './verified-bundle.ts'
import { type Work, workExceeded } from './work.ts'

/** Says whether one first-party caveat allows the access. It is never asked about a caveat that is not authentic. */
export interface CaveatJudge {
  readonly judge: (caveat: Uint8Array) => CaveatVerdict
  /** For explanations: the caveat as text, and what it wants. */
  readonly describe: (caveat: Uint8Array) => { readonly caveat: string; readonly wanted?: string }
}

export type CaveatVerdict = Allowed | Refused

export interface Allowed {
  readonly ok: true
  /** A holder's remark. */
  readonly note?: string
  /** A token that was presented to the third party, if this is a discharge. */
  readonly presented?: string
}

/** A discharge that served a third-party caveat. */
export interface UsedDischarge {
  /** The third-party caveat. */
  readonly caveat: Caveat
  readonly discharge: VerifiedMacaroon
  /** Place in the bundle, from 1. */
  readonly index: number
  /** For its own third-party caveats, in their order. */
  readonly used: readonly UsedDischarge[]
}

export interface Cleared {
  readonly ok: true
  /** Of the token, then of the discharges used. */
  readonly notes: readonly string[]
  /** Of the discharges used. */
  readonly presented: readonly string[]
  /** For the third-party caveats of the token, in their order. */
  readonly used: readonly UsedDischarge[]
}

export interface ClearOptions {
  readonly judge: CaveatJudge
  readonly work: Work
  /** Filled with every caveat, in their order; nothing stops at the first refusal then. */
  readonly trace?: CaveatTrace[]
}

/** Reasons beside the judge's own: `discharge_missing`, `discharge_invalid`, `verifier_id_invalid`, `work_exceeded`. */
export function clearBundle(root: VerifiedNode, { judge, work, trace }: ClearOptions): Cleared | Refused {
  return new Clearing(judge, work).clear(root, 0, trace)
}

/** First-party caveats of one macaroon: judged once, however often the macaroon is tried as a discharge. */
interface OwnCaveats {
  readonly refusal: Refused | undefined
  readonly notes: readonly string[]
  readonly presented: readonly string[]
}

class Clearing {
  readonly #judge: CaveatJudge
  readonly #work: Work
  readonly #own = new Map<VerifiedNode, OwnCaveats>()
  /** Places of the discharges that serve a caveat on the way that is being tried, in the order they were taken. */
  readonly #taken: number[] = []
  /** Discharges whose caveats stand in the trace already: tried again, they are not told again. */
  readonly #told = new Set<number>()

  constructor(judge: CaveatJudge, work: Work) {
    this.#judge = judge
    this.#work = work
  }

  /** `depth` discharges stand between the token and this macaroon, itself included. */
  clear(node: VerifiedNode, depth: number, trace?: CaveatTrace[]): Cleared | Refused {
    const own = this.#ownCaveats(node, trace)
    let refusal = own.refusal
    const parts: Cleared[] = []
    const used: UsedDischarge[] = []
    for (const [place, thirdParty] of node.thirdParties) {
      if (trace === undefined && isFinal(refusal)) break
      const found = this.#discharge(thirdParty, depth + 1, tracer(trace, place))
      if (isRefused(found)) refusal = graver(refusal, found)
      else {
        used.push(found.used)
        parts.push(found.cleared)
      }
    }
    return refusal ?? merged(own, parts, used)
  }

  #ownCaveats(node: VerifiedNode, trace: CaveatTrace[] | undefined): OwnCaveats {
    const own = this.#own.get(node) ?? this.#judgeOwn(node, trace)
    this.#own.set(node, own)
    return own
  }

  #judgeOwn(node: VerifiedNode, trace: CaveatTrace[] | undefined): OwnCaveats {
    let refusal: Refused | undefined
    const notes: string[] = []
    const presented: string[] = []
    for (const [place, { cid, vid }] of node.macaroon.caveats.entries()) {
      if (vid !== undefined) continue
      const verdict = this.#judge.judge(cid)
      tracer(trace, place)?.push(this.#traceOf(cid, verdict))
      if (!verdict.ok) refusal = graver(refusal, verdict)
      else if (verdict.note !== undefined) notes.push(verdict.note)
      // Whoever holds a discharge can append to it, so only what stands in front is the third party's own word.
      else if (verdict.presented !== undefined && place === presented.length) presented.push(verdict.presented)
      if (trace === undefined && isFinal(refusal)) break
    }
    return { refusal, notes, presented: node.index === 0 ? [] : presented }
  }

  #traceOf(cid: Uint8Array, verdict: CaveatVerdict): CaveatTrace {
    const described = this.#judge.describe(cid)
    return verdict.ok ? { ...described, outcome: 'cleared' } : { ...described, ...refusalTrace(verdict) }
  }

  #discharge(thirdParty: VerifiedThirdParty, depth: number, trace?: CaveatTracer): Found | Refused {
    const discharges: DischargeTrace[] | undefined = trace && []
    const found = this.#firstThatClears(thirdParty, depth, discharges)
    trace?.push(thirdPartyTrace(thirdParty, found, discharges ?? []))
    return found
  }

  #firstThatClears(thirdParty: VerifiedThirdParty, depth: number, trace?: DischargeTrace[]): Found | Refused {
    for (const index of thirdParty.rejected) trace?.push({ index, outcome: 'not_authentic' })
    let refusal: Refused | undefined
    for (const candidate of thirdParty.candidates) {
      if (this.#taken.includes(candidate.index)) {
        trace?.push({ index: candidate.index, outcome: 'used_before' })
        continue
      }
      const found = this.#try(candidate, thirdParty.caveat, depth, trace)
      if (!isRefused(found) || this.#work.exceeded) return found
      refusal = milder(refusal, found)
    }
    return refusal ?? undischarged(thirdParty)
  }

  /** What it took for a discharge that does not clear is free again for others. */
  #try(candidate: VerifiedNode, caveat: Caveat, depth: number, trace?: DischargeTrace[]): Found | Refused {
    if (depth > this.#work.limits.depth) return tooDeep(caveat)
    if (!this.#work.spendTrial()) return workExceeded()
    const { index } = candidate
    const before = this.#taken.length
    this.#taken.push(index)
    const caveats = trace === undefined || this.#told.has(index) ? undefined : []
    this.#told.add(index)
    const cleared = this.clear(candidate, depth, caveats)
    trace?.push({ index, outcome: cleared.ok ? 'used' : 'refused', ...(caveats && { caveats }) })
    if (!cleared.ok) {
      this.#taken.length = before
      return { ...cleared, thirdParty: cleared.thirdParty ?? thirdPartyOf(caveat) }
    }
    return { cleared, used: { caveat, discharge: candidate.macaroon, index, used: cleared.used } }
  }
}

interface Found {
  readonly used: UsedDischarge
  readonly cleared: Cleared
}

interface CaveatTracer {
  readonly push: (trace: CaveatTrace) => void
}

/** Puts the trace of a caveat where the caveat stands: third-party caveats are judged after the others. */
function tracer(trace: CaveatTrace[] | undefined, place: number): CaveatTracer | undefined {
  if (trace === undefined) return undefined
  return { push: (entry) => void (trace[place] = entry) }
}

function merged(own: OwnCaveats, parts: readonly Cleared[], used: readonly UsedDischarge[]): Cleared {
  if (parts.length === 0) return { ok: true, notes: own.notes, presented: own.presented, used }
  const notes = [...own.notes, ...parts.flatMap((part) => part.notes)]
  const presented = [...own.presented, ...parts.flatMap((part) => part.presented)]
  return { ok: true, notes, presented, used }
}

/** A fresher state may still be had, so what refuses for good comes first, whatever the order of the caveats. */
function graver(a: Refused | undefined, b: Refused): Refused {
  if (a === undefined) return b
  if (a.reason !== 'unavailable') return a
  return b.reason === 'unavailable' ? fresher(a, b) : b
}

/** Of several discharges one is enough: while one of them may clear on a fresher state, nothing is refused for good. */
function milder(a: Refused | undefined, b: Refused): Refused {
  return a === undefined || (a.reason !== 'unavailable' && b.reason === 'unavailable') ? b : a
}

function fresher(a: Refused, b: Refused): Refused {
  return (a.stalenessWantedMs ?? Infinity) <= (b.stalenessWantedMs ?? Infinity) ? a : b
}

function isFinal(refusal: Refused | undefined): boolean {
  return refusal !== undefined && refusal.reason !== 'unavailable'
}

function refusalTrace(refusal: Refused): { readonly outcome: 'refused' | 'unavailable'; readonly refusal: Refused } {
  return { outcome: refusal.reason === 'unavailable' ? 'unavailable' : 'refused', refusal }
}

function thirdPartyTrace(
  { caveat }: VerifiedThirdParty,
  found: Found | Refused,
  discharges: readonly DischargeTrace[],
): CaveatTrace {
  const thirdParty = thirdPartyOf(caveat)
  const outcome = isRefused(found) ? refusalTrace(found) : ({ outcome: 'cleared' } as const)
  return { caveat: `third party ${thirdParty.ticket}`, ...outcome, thirdParty, discharges }
}

function undischarged({ caveat, readable, candidates, rejected }: VerifiedThirdParty): Refused {
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
