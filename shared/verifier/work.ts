/**
 * Counts the work that one bundle causes, and ends it at a limit (V6 in ARCHITECTURE.md). Holders write caveats and
 * discharges, and a handful of them can be made to refer to one another in more ways than anybody could try.
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
  /** Discharges that stand one behind the other. */
  readonly depth: number
  /** Of the token and all discharges. */
  readonly caveats: number
  /** HMACs, for macaroons and bindings. */
  readonly hmacs: number
  /** Discharges tried for a caveat. */
  readonly trials: number
}

export const ONLINE_WORK: WorkLimits = {
  discharges: DISCHARGES_MAX,
  depth: DISCHARGE_DEPTH_MAX,
  caveats: CAVEATS_TOTAL_MAX,
  hmacs: HMACS_TOTAL_MAX,
  trials: DISCHARGE_TRIALS_MAX,
}

/** For the toolbox, whose macaroons may be anybody's: more caveats, the same bounds on how they may be entangled. */
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

  /** Once true, nothing more is tried for this bundle. */
  get exceeded(): boolean {
    return this.#exceeded
  }

  /** False when that many are not allowed any more; then none of them may be done. */
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
  return refused('work_exceeded', 'to verify its discharges would take more work than is allowed')
}
