/**
 * Cuts an explanation down to what a node answers with. Holders write caveats and discharges, so what there is to tell may
 * be far longer than what was asked: long texts end in an ellipsis, and what does not fit is counted instead of told.
 */
import { EXPLAINED_DEPTH_MAX, EXPLAINED_TEXT_CHARS_MAX, EXPLANATION_CHARS_MAX } from '../../shared/limits.ts'
import type { CaveatTrace, DischargeTrace, Explanation } from '../../shared/verifier/trace.ts'
import type { Verdict } from '../../shared/verifier/verdict.ts'

/** The token's own caveats come first, then what stands behind each of them. The same explanation where all fits. */
export function boundExplanation(explanation: Explanation): Explanation {
  const notes = new Budget(EXPLANATION_CHARS_MAX / 4)
  const rest = new Budget(EXPLANATION_CHARS_MAX)
  const { checks, token, judgedBy, work } = explanation
  const verdict = boundVerdict(explanation.verdict, notes)
  const caveats = boundCaveats(explanation.caveats, 0, rest)
  const omitted = notes.omitted + rest.omitted
  return {
    verdict,
    checks: cutTexts(checks),
    ...(token && { token: cutTexts(token) }),
    caveats,
    ...(judgedBy && { judgedBy: cutTexts(judgedBy) }),
    work,
    ...(omitted > 0 && { omitted }),
  }
}

class Budget {
  omitted = 0
  #chars: number

  constructor(chars: number) {
    this.#chars = chars
  }

  /** How many of these, from the front, there is room for; once there was none for one, there is none for any. */
  room(items: readonly object[] | readonly string[]): number {
    const kept = items.findIndex((item) => {
      this.#chars -= JSON.stringify(item).length
      return this.#chars < 0
    })
    return kept === -1 ? items.length : kept
  }
}

function boundVerdict(verdict: Verdict, budget: Budget): Verdict {
  const cut = cutTexts(verdict)
  if (!cut.ok) return cut
  const room = budget.room(cut.notes)
  budget.omitted += cut.notes.length - room
  return { ...cut, notes: cut.notes.slice(0, room) }
}

/** `depth` discharges stand between the token and these. */
function boundCaveats(caveats: readonly CaveatTrace[], depth: number, budget: Budget): readonly CaveatTrace[] {
  const own = caveats.map(({ discharges: _, ...caveat }) => cutTexts(caveat))
  const room = budget.room(own)
  budget.omitted += sizeOf(caveats.slice(room))
  return own.slice(0, room).map((caveat, place): CaveatTrace => {
    const discharges = caveats[place]?.discharges
    return discharges === undefined ? caveat : { ...caveat, discharges: boundDischarges(discharges, depth + 1, budget) }
  })
}

function boundDischarges(all: readonly DischargeTrace[], depth: number, budget: Budget): readonly DischargeTrace[] {
  const own = all.map(({ caveats: _, ...discharge }) => discharge)
  const room = depth > EXPLAINED_DEPTH_MAX ? 0 : budget.room(own)
  budget.omitted += sizeOf(all.slice(room))
  return own.slice(0, room).map((discharge, place): DischargeTrace => {
    const caveats = all[place]?.caveats
    return caveats === undefined ? discharge : { ...discharge, caveats: boundCaveats(caveats, depth, budget) }
  })
}

/** They themselves, and all that stands behind them. */
function sizeOf(traces: readonly (CaveatTrace | DischargeTrace)[]): number {
  const behind = (trace: CaveatTrace | DischargeTrace): number =>
    sizeOf(('index' in trace ? trace.caveats : trace.discharges) ?? [])
  return traces.reduce((total, trace) => total + 1 + behind(trace), 0)
}

/** Every text of a plain value, wherever it stands in it. */
function cutTexts<T>(value: T): T {
  return cut(value) as T
}

function cut(value: unknown): unknown {
  if (typeof value === 'string') return cutText(value)
  if (Array.isArray(value)) return value.map(cut)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, cut(part)]))
}

function cutText(text: string): string {
  return text.length <= EXPLAINED_TEXT_CHARS_MAX ? text : `${text.slice(0, EXPLAINED_TEXT_CHARS_MAX).toWellFormed()}…`
}
