/** Schedules that once broke a promise, each cut to the shortest that did, and schedules that seeds draw too seldom. */
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
  {
    // The last record of its log was cut off as torn, the one before, torn as well, was taken for damage of another kind.
    name: 'a primary whose log lost two records with the power',
    plan: {
      seed: 43,
      freshness: { lease_ms: 700, ping_ms: 140 },
      lengthMs: 2_000,
      faults: [
        { kind: 'power lost', target: 'primary', atMs: 1_241, forMs: 210, amount: 0 },
        { kind: 'power lost', target: 'primary', atMs: 1_947, forMs: 53, amount: 14 },
      ],
    },
  },
  {
    // What was revoked between the two must outlive both, and the archive must lead through three epochs.
    name: 'a primary that is restored twice while answers of its archive are lost',
    plan: {
      seed: 75,
      freshness: { lease_ms: 700, ping_ms: 140 },
      archive: { bucket: true, everyMs: 20, durable: true, windowMs: undefined },
      lengthMs: 2_500,
      faults: [
        { kind: 'archive answers lost', target: 'primary', atMs: 1_000, forMs: 900, amount: 0 },
        { kind: 'restored', target: 'primary', atMs: 1_200, forMs: 100, amount: 0 },
        { kind: 'restored', target: 'primary', atMs: 2_000, forMs: 200, amount: 1 },
      ],
    },
  },
  {
    // It acknowledged revocations to the first primary, on a connection that was open, after its pages had come from the second.
    name: 'a replica that has its pages from the successor of the primary whose revocations it gets',
    plan: {
      seed: 13,
      freshness: { lease_ms: 2_500, ping_ms: 500 },
      lengthMs: 2_500,
      faults: [{ kind: 'two primaries', target: 'primary', atMs: 950, forMs: 1_550, amount: 1 }],
    },
  },
]
