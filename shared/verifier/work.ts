/**
 * Counts the work that one bundle causes, and stops it at a limit (V6 in ARCHITECTURE.md). Holders write caveats and
 * discharges, and a few of them can refer to one another in more ways than any search could try.
 */
import {
  CAVEAT_BYTES_TOTAL_MAX,
  CAVEATS_TOTAL_MAX,
  COMPARISONS_MAX,
  DISCHARGE_DEPTH_MAX,
  DISCHARGE_TRIALS_MAX,
  DISCHARGES_MAX,
  HMACS_TOTAL_MAX,
  OFFLINE_CAVEATS_MAX,
  OFFLINE_COMPARISONS_MAX,
  OFFLINE_HMACS_MAX,
  OFFLINE_MACAROON_BYTES_MAX,
} from '../limits.ts'
import { type Refused, refused } from './verdict.ts'

export interface WorkLimits {
  readonly discharges: number
  /** How deep discharges may nest. */
  readonly depth: number
  /** Caveats of the token and all discharges. */
  readonly caveats: number
  /** Bytes of their first-party caveats. */
  readonly caveatBytes: number
  /** HMACs of macaroons and bindings. */
  readonly hmacs: number
  /** Attempts to serve a caveat with a discharge. */
  readonly trials: number
  /** Comparisons of a value of the access with a caveat. */
  readonly comparisons: number
}

export const ONLINE_WORK: WorkLimits = {
  discharges: DISCHARGES_MAX,
  depth: DISCHARGE_DEPTH_MAX,
  caveats: CAVEATS_TOTAL_MAX,
  caveatBytes: CAVEAT_BYTES_TOTAL_MAX,
  hmacs: HMACS_TOTAL_MAX,
  trials: DISCHARGE_TRIALS_MAX,
  comparisons: COMPARISONS_MAX,
}

/** For the offline toolbox, which reads foreign macaroons: more caveats, the same limits on nesting and attempts. */
export const OFFLINE_WORK: WorkLimits = {
  ...ONLINE_WORK,
  caveats: OFFLINE_CAVEATS_MAX * (DISCHARGES_MAX + 1),
  caveatBytes: OFFLINE_MACAROON_BYTES_MAX * (DISCHARGES_MAX + 1),
  hmacs: OFFLINE_HMACS_MAX,
  comparisons: OFFLINE_COMPARISONS_MAX,
}

export interface WorkDone {
  readonly hmacs: number
  readonly trials: number
  readonly comparisons: number
}

/** The work of which there would be too much. */
type Exceeded = 'discharging' | 'comparing'

export class WorkBudget {
  readonly limits: WorkLimits
  #hmacs = 0
  #trials = 0
  #comparisons = 0
  #exceeded: Exceeded | undefined

  constructor(limits: WorkLimits = ONLINE_WORK) {
    this.limits = limits
  }

  get done(): WorkDone {
    return { hmacs: this.#hmacs, trials: this.#trials, comparisons: this.#comparisons }
  }

  /** Set once a limit was reached. The verification of this bundle must then stop. */
  get exceeded(): Exceeded | undefined {
    return this.#exceeded
  }

  /** Reserves `count` HMACs. False if the limit does not allow them; the caller must then compute none of them. */
  spendHmacs(count: number): boolean {
    if (this.#hmacs + count > this.limits.hmacs) this.#exceeded ??= 'discharging'
    else this.#hmacs += count
    return this.#exceeded === undefined
  }

  spendTrial(): boolean {
    if (this.#trials === this.limits.trials) this.#exceeded ??= 'discharging'
    else this.#trials += 1
    return this.#exceeded === undefined
  }

  /** Reserves the comparisons of `count` values with one caveat. False if the limit does not allow them. */
  spendComparisons(count: number): boolean {
    if (this.#comparisons + count > this.limits.comparisons) this.#exceeded ??= 'comparing'
    else this.#comparisons += count
    return this.#exceeded === undefined
  }
}

/** The verdict on a bundle that reached a limit. */
export function workExceeded({ exceeded, limits }: WorkBudget): Refused {
  if (exceeded !== 'comparing') {
    return refused('work_exceeded', 'verifying its discharges would take more work than is allowed')
  }
  const most = `more than the ${limits.comparisons} comparisons that are allowed`
  return refused('work_exceeded', `comparing its caveats with every value of this access would take ${most}`)
}
