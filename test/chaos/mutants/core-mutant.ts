/** A planted bug that shows for a moment only, or after a power cut: the test of a core finds it, where time is a parameter. */
import type { Mutant } from './mutant.ts'

export interface CoreMutant extends Mutant {
  /** Finds it. */
  readonly by: string
}
