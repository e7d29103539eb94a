/**
 * Counts the work that one bundle causes, and stops it at a limit (V6 in ARCHITECTURE.md). Holders write caveats and
 * discharges, and a few of them can refer to one another in more ways than any search could try.
 */
import {
  CAVEATS_TOTAL_MAX,
  DISCHARGE_DEPTH_MAX,
  DISCHARGE_TRIALS_MAX,
  DISCHARGES_MAX,
  HMACS_TOTAL_MAX,
  OFFLINE_CAVEATS_MAX,
  OFFLINE_HMACS_MAX,
} from '../limits.ts'
import { type Refused, refused } from './verdict.ts'

export interface WorkLimits {
  readonly discharges: number
  /** How deep discharges may nest. */
  readonly depth: number
  /** Caveats of the token and all discharges. */
  readonly caveats: number
  /** HMACs of macaroons and bindings. */
  readonly hmacs: number
  /** Attempts to serve a caveat with a discharge. */
  readonly trials: number
}

export const ONLINE_WORK: WorkLimits = {
  discharges: DISCHARGES_MAX,
  depth: DISCHARGE_DEPTH_MAX,
  caveats: CAVEATS_TOTAL_MAX,
  hmacs: HMACS_TOTAL_MAX,
  trials: DISCHARGE_TRIALS_MAX,
}

/** For the offline toolbox, which reads foreign macaroons: more caveats, the same limits on nesting and attempts. */
export const OFFLINE_WORK: WorkLimits = {
  ...ONLINE_WORK,
  caveats: OFFLINE_CAVEATS_MAX * (DISCHARGES_MAX + 1),
  hmacs: OFFLINE_HMACS_MAX,
}

export interface WorkDone {
  readonly hmacs: number
  readonly trials: number
}

export class WorkBudget {
  readonly limits: WorkLimits
  #hmacs = 0
  #trials = 0
  #exceeded = false

  constructor(limits: WorkLimits = ONLINE_WORK) {
    this.limits = limits
  }

  get done(): WorkDone {
    return { hmacs: this.#hmacs, trials: this.#trials }
  }

  /** True once a limit was reached. The verification of this bundle must then stop. */
  get exceeded(): boolean {
    return this.#exceeded
  }

  /** Reserves `count` HMACs. False if the limit does not allow them; the caller must then compute none of them. */
  spendHmacs(count: number): boolean {
    if (this.#hmacs + count > this.limits.hmacs) this.#exceeded = true
    else this.#hmacs += count
    return !this.#exceeded
  }

  spendTrial(): boolean {
    if (this.#trials === this.limits.trials) this.#exceeded = true
    else this.#trials += 1
    return !this.#exceeded
  }
}

export function workExceeded(): Refused {
  return refused('work_exceeded', 'verifying its discharges would take more work than is allowed')
}
