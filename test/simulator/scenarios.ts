/** Schedules that once broke a promise: each is the shortest that did, and stays. */
import type { Plan } from './plan/plan.ts'

export interface Scenario {
  readonly name: string
  readonly plan: Plan
}

export const SCENARIOS: readonly Scenario[] = [
  {
    // It believed its clock, which was put right a moment later, and every replica refused its time from then on.
    name: 'a primary that starts while its clock is eleven minutes ahead',
    plan: {
      seed: 5128,
      freshness: { lease_ms: 1_000, ping_ms: 200 },
      lengthMs: 2_500,
      faults: [
        { kind: 'power lost', target: 'primary', atMs: 1_319, forMs: 1_181, amount: 0 },
        { kind: 'wall clock moved', target: 'primary', atMs: 2_362, forMs: 138, amount: 681_770 },
      ],
    },
  },
]
