/** What each replica has told of the revocations of undone histories that it refuses by: its last whole list, and the next. */
import { DENIALS_TOLD_CHARS_MAX, DENIALS_TOLD_MAX } from '../../shared/limits.ts'
import type { Denial, ToldDenials } from '../../shared/protocol/denials.ts'

export interface Report {
  /** PeerId of the replica. */
  readonly from: string
  readonly denials: readonly Denial[]
  /** Of the replica's, those that it has not told of yet. */
  readonly untold: number
}

interface Told {
  whole: Report
  next: Denial[]
  /** Of `next`, as JSON. */
  chars: number
}

export class Reports {
  readonly #told = new Map<string, Told>()

  get all(): readonly Report[] {
    return [...this.#told.values()].map(({ whole }) => whole)
  }

  /** True when a list has become whole. */
  take(from: string, { first, last, total, denials }: Omit<ToldDenials, 't'>): boolean {
    const told = this.#told.get(from) ?? { whole: { from, denials: [], untold: 0 }, next: [], chars: 0 }
    this.#told.set(from, told)
    if (first) empty(told)
    for (const denial of denials) add(told, denial)
    if (!last) return false
    told.whole = { from, denials: told.next, untold: Math.max(0, total - told.next.length) }
    empty(told)
    return true
  }

  /** Replicas that the configuration does not name any more say nothing. */
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
  if (told.next.length >= DENIALS_TOLD_MAX || told.chars + chars > DENIALS_TOLD_CHARS_MAX) return
  told.next.push(denial)
  told.chars += chars
}
