/**
 * Limits the size of an explanation. Holders write caveats and discharges, so an explanation may be far longer than its
 * request. Long texts are cut and end in an ellipsis; items that do not fit are counted in `omitted`.
 */
import { EXPLAINED_DEPTH_MAX, EXPLAINED_TEXT_CHARS_MAX, EXPLANATION_CHARS_MAX } from '../../shared/limits.ts'
import type { CaveatTrace, DischargeTrace, Explanation } from '../../shared/verifier/trace.ts'
import type { Verdict } from '../../shared/verifier/verdict.ts'

/** The limited explanation. The token's own caveats are kept before their discharges. */
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

  /** Takes items from the front while they fit, and returns their number. After the first that does not fit, nothing fits. */
  fit(items: readonly object[] | readonly string[]): number {
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
  const room = budget.fit(cut.notes)
  budget.omitted += cut.notes.length - room
  return { ...cut, notes: cut.notes.slice(0, room) }
}

/** `depth` is the number of discharges between the token and these caveats. */
function boundCaveats(caveats: readonly CaveatTrace[], depth: number, budget: Budget): readonly CaveatTrace[] {
  const own = caveats.map(({ discharges: _, ...caveat }) => cutTexts(caveat))
  const room = budget.fit(own)
  budget.omitted += sizeOf(caveats.slice(room))
  return own.slice(0, room).map((caveat, place): CaveatTrace => {
    const discharges = caveats[place]?.discharges
    return discharges === undefined ? caveat : { ...caveat, discharges: boundDischarges(discharges, depth + 1, budget) }
  })
}

function boundDischarges(all: readonly DischargeTrace[], depth: number, budget: Budget): readonly DischargeTrace[] {
  const own = all.map(({ caveats: _, ...discharge }) => discharge)
  const room = depth > EXPLAINED_DEPTH_MAX ? 0 : budget.fit(own)
  budget.omitted += sizeOf(all.slice(room))
  return own.slice(0, room).map((discharge, place): DischargeTrace => {
    const caveats = all[place]?.caveats
    return caveats === undefined ? discharge : { ...discharge, caveats: boundCaveats(caveats, depth, budget) }
  })
}

/** The number of these traces and all traces below them. */
function sizeOf(traces: readonly (CaveatTrace | DischargeTrace)[]): number {
  const below = (trace: CaveatTrace | DischargeTrace): number =>
    sizeOf(('index' in trace ? trace.caveats : trace.discharges) ?? [])
  return traces.reduce((total, trace) => total + 1 + below(trace), 0)
}

/** Cuts every text in a plain value, at any depth. */
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
