/** A history that never came near a promise shows nothing: what a run must have seen before its verdict counts. */
import type { Counts } from './check.ts'
import type { FaultEvent, FaultKind, HistoryEvent } from './event.ts'

export interface Gates {
  readonly insideBound: number
  readonly afterBound: number
  readonly afterGlobal: number
  readonly leased: number
  readonly unleased: number
  /** How often each fault must have been seen to bite. */
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>
}

/** One sentence for each gate that was missed, and for each fault that had no effect. */
export function missedGates(events: readonly HistoryEvent[], counts: Counts, gates: Gates): readonly string[] {
  const faults = events.filter((event) => event.t === 'fault')
  return [
    ...missedCounts(counts, gates),
    ...faults.filter(({ effect }) => effect <= 0).map(({ kind, target }) => `${kind} of ${target} had no effect`),
    ...missedFaults(faults, gates),
  ]
}

function missedCounts(counts: Counts, gates: Gates): readonly string[] {
  const names = ['insideBound', 'afterBound', 'afterGlobal', 'leased', 'unleased'] as const
  return names
    .filter((name) => counts[name] < gates[name])
    .map((name) => `only ${counts[name]} verifications ${WHERE[name]}, ${gates[name]} are needed`)
}

const WHERE = {
  insideBound: 'fell inside the bound after a revocation',
  afterBound: 'fell after the bound',
  afterGlobal: 'fell after a global wait',
  leased: 'were asked of a cut-off region inside its lease',
  unleased: 'were asked of a cut-off region past its lease',
} as const

function missedFaults(faults: readonly FaultEvent[], gates: Gates): readonly string[] {
  return Object.entries(gates.faults).flatMap(([kind, wanted]) => {
    const seen = faults.filter((fault) => fault.kind === kind && fault.effect > 0).length
    return seen < wanted ? [`${kind} bit ${seen} times, ${wanted} are needed`] : []
  })
}
