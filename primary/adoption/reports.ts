/**
 * Collects the denials that each replica reports. A list arrives in several messages, so this class keeps the last complete
 * list and the one that is being received. The size of a list is limited.
 */
import { DENIALS_REPORTED_CHARS_MAX, DENIALS_REPORTED_MAX } from '../../shared/limits.ts'
import type { Denial, ReportedDenials } from '../../shared/protocol/denials.ts'

export interface Report {
  /** PeerId of the replica. */
  readonly from: string
  readonly denials: readonly Denial[]
  /** Number of the replica's denials that are not in the list. */
  readonly unlisted: number
}

interface ReceivedReport {
  /** The last complete list. */
  whole: Report
  next: Denial[]
  /** Length of `next` as JSON. */
  chars: number
}

export class Reports {
  readonly #received = new Map<string, ReceivedReport>()

  get all(): readonly Report[] {
    return [...this.#received.values()].map(({ whole }) => whole)
  }

  /** True if the message completed a list. */
  take(from: string, { first, last, total, denials }: Omit<ReportedDenials, 't'>): boolean {
    const report = this.#received.get(from) ?? { whole: { from, denials: [], unlisted: 0 }, next: [], chars: 0 }
    this.#received.set(from, report)
    if (first) empty(report)
    for (const denial of denials) add(report, denial)
    if (!last) return false
    report.whole = { from, denials: report.next, unlisted: Math.max(0, total - report.next.length) }
    empty(report)
    return true
  }

  /** Drops the lists of replicas that are no longer configured. */
  keepOnly(names: ReadonlySet<string>): void {
    for (const from of this.#received.keys()) if (!names.has(from)) this.#received.delete(from)
  }
}

function empty(report: ReceivedReport): void {
  report.next = []
  report.chars = 0
}

function add(report: ReceivedReport, denial: Denial): void {
  const chars = JSON.stringify(denial).length
  if (report.next.length >= DENIALS_REPORTED_MAX || report.chars + chars > DENIALS_REPORTED_CHARS_MAX) return
  report.next.push(denial)
  report.chars += chars
}
