/** Gates of a run: the counts that it must reach before its verdict counts, because a run without them proves nothing. */
import type { Counts } from './check.ts'
import type { FaultEvent, FaultKind, HistoryEvent } from './event.ts'

/** How many verifications must have fallen where. */
export type CountGates = Partial<Omit<Counts, 'leasedAnswered'>>
/** How often each fault must have been seen to take effect. */
export type FaultGates = Readonly<Partial<Record<FaultKind, number>>>

/** One sentence for each that was missed. */
export function missedCounts(who: string, counts: Counts, gates: CountGates): readonly string[] {
  const names = Object.keys(WHERE) as readonly (keyof typeof WHERE)[]
  return names
    .filter((name) => counts[name] < (gates[name] ?? 0))
    .map((name) => `only ${counts[name]} verifications of ${who} ${WHERE[name]}, ${gates[name]} are needed`)
}

/** One sentence for each fault that had no effect, and for each kind that took effect too seldom. */
export function missedFaults(events: readonly HistoryEvent[], gates: FaultGates): readonly string[] {
  const faults = events.filter((event) => event.t === 'fault')
  return [
    ...faults.filter(({ effect }) => effect <= 0).map(({ kind, target }) => `${kind} of ${target} had no effect`),
    ...tooSeldom(faults, gates),
  ]
}

/** How often each kind of fault was seen to have an effect. */
export function effectsOf(events: readonly HistoryEvent[]): FaultGates {
  const effects: Partial<Record<FaultKind, number>> = {}
  for (const event of events) {
    if (event.t === 'fault' && event.effect > 0) effects[event.kind] = (effects[event.kind] ?? 0) + 1
  }
  return effects
}

const WHERE = {
  verifications: 'were seen at all',
  insideBound: 'fell inside the bound after a revocation',
  afterBound: 'fell after the bound',
  afterGlobal: 'fell after a global wait',
  leased: 'were asked of a cut-off region inside its lease',
  unleased: 'were asked of a cut-off region past its lease',
} as const

function tooSeldom(faults: readonly FaultEvent[], gates: FaultGates): readonly string[] {
  return Object.entries(gates).flatMap(([kind, wanted]) => {
    const seen = faults.filter((fault) => fault.kind === kind && fault.effect > 0).length
    return seen < wanted ? [`${kind} took effect ${seen} times, ${wanted} are needed`] : []
  })
}
