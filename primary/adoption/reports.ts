/**
 * The denials that each replica reports. A list arrives in several messages, so this keeps the last complete list and the one
 * being received. The size of a list is bounded.
 */
import { DENIALS_REPORTED_CHARS_MAX, DENIALS_REPORTED_MAX } from '../../shared/limits.ts'
import type { Denial, ReportedDenials } from '../../shared/protocol/denials.ts'

export interface Report {
  /** PeerId of the replica. */
  readonly from: string
  readonly denials: readonly Denial[]
  /** Number of the replica's denials that are not in the list. */
  readonly untold: number
}

interface Told {
  /** The last complete list. */
  whole: Report
  next: Denial[]
  /** Length of `next` as JSON. */
  chars: number
}

export class Reports {
  readonly #told = new Map<string, Told>()

  get all(): readonly Report[] {
    return [...this.#told.values()].map(({ whole }) => whole)
  }

  /** True if the message completed a list. */
  take(from: string, { first, last, total, denials }: Omit<ReportedDenials, 't'>): boolean {
    const told = this.#told.get(from) ?? { whole: { from, denials: [], untold: 0 }, next: [], chars: 0 }
    this.#told.set(from, told)
    if (first) empty(told)
    for (const denial of denials) add(told, denial)
    if (!last) return false
    told.whole = { from, denials: told.next, untold: Math.max(0, total - told.next.length) }
    empty(told)
    return true
  }

  /** Drops the lists of replicas that are no longer configured. */
  keepOnly(names: ReadonlySet<string>): void {
    for (const from of this.#told.keys()) if (!names.has(from)) this.#told.delete(from)
  }
}

function empty(told: Told): void {
  told.next = []
  told.chars = 0
}

function add(told: Told, denial: Denial): void {
  const chars = JSON.stringify(denial).length
  if (told.next.length >= DENIALS_REPORTED_MAX || told.chars + chars > DENIALS_REPORTED_CHARS_MAX) return
  told.next.push(denial)
  told.chars += chars
}
