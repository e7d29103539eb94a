/** The types of a step of a tour or a rehearsal, and the check that a step uses. */
import { MacaroondError } from '../../shared/errors.ts'
import type { TourCluster } from './stage.ts'

/** A step: its promise as a title, and the function that shows it. */
export interface TourStep {
  readonly title: string
  /** Throws tour_failed if the promise does not hold. */
  readonly run: (stage: TourCluster) => Promise<StepOutcome>
}

export interface StepOutcome {
  /** The result, in one line. */
  readonly detail: string
  /** The measured time, if it is not the duration of the whole step. */
  readonly ms?: number
}

export interface StepResult {
  readonly step: string
  readonly ok: boolean
  readonly ms: number
  readonly detail: string
}

/** Fails the step if the condition is false. Throws tour_failed. */
export function requireThat(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new MacaroondError('tour_failed', otherwise)
}
