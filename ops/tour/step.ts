/** A step of the tour: what it promises, and how to see it. */
import { MacaroondError } from '../../shared/errors.ts'
import type { TourCluster } from './stage.ts'

export interface TourStep {
  readonly title: string
  /** Throws when the promise did not hold. */
  readonly run: (stage: TourCluster) => Promise<StepOutcome>
}

export interface StepOutcome {
  /** How it went, in one line. */
  readonly detail: string
  /** Where the step measured something else than how long it took. */
  readonly ms?: number
}

export interface StepResult {
  readonly step: string
  readonly ok: boolean
  readonly ms: number
  readonly detail: string
}

/** Ends the step as not held. */
export function hold(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new MacaroondError('tour_failed', otherwise)
}
