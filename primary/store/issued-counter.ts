/**
 * Counts the tokens that a revocation would apply to, from the records of mints, and looks for subjects that resemble a
 * mistyped one. One walk over the newest mints answers every caller that waits. It runs in slices, so that writes continue
 * meanwhile, and stops when no caller is left. People read the count; no decision depends on it.
 */
import type { Statement } from 'better-sqlite3'
import { systemClock, turn, type Timers } from '../../shared/clock.ts'
import type { Kid, Nonce } from '../../shared/ids.ts'
import {
  RECORDS_COUNTED_MAX,
  SUBJECTS_COMPARED_MAX,
  SUBJECTS_SHOWN_MAX,
  WALK_ROWS_A_TURN,
} from '../../shared/limits.ts'
import { nonceTimeMs } from '../../shared/macaroon/nonce.ts'
import type { TokensCounted } from '../../shared/protocol/revoke.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'
import { isNear, looksOf } from './similar-subjects.ts'

interface Columns {
  readonly seq: number
  readonly kid: string
  readonly nonce: string
  readonly subject: string
  readonly expires_at: number
}

export interface CountQuery {
  readonly kids: ReadonlySet<Kid>
  /** Undefined for every subject. */
  readonly subject?: string | undefined
  /** Counts tokens issued up to this time, unix milliseconds; undefined for any time. */
  readonly untilMs?: number | undefined
}

/** Comparisons in one slice. They cost about as much as reading a thousand rows. */
const COMPARING_A_TURN = 2_000

export class IssuedCounter {
  readonly #before: Statement<[number, number], Columns>
  readonly #timers: Pick<Timers, 'soon'>

  constructor(db: Database, timers: Pick<Timers, 'soon'> = systemClock) {
    this.#timers = timers
    this.#before = db.prepare<[number, number], Columns>(
      `SELECT seq, lower(hex(kid)) AS kid, lower(hex(nonce)) AS nonce, subject, expires_at
       FROM issued WHERE seq < ? ORDER BY seq DESC LIMIT ?`,
    )
  }

  /** Counts unexpired tokens among the newest mints. Results come in the order of `wanted`; undefined once aborted. */
  async count(
    wanted: readonly CountQuery[],
    nowMs: number,
    signal?: AbortSignal,
  ): Promise<readonly TokensCounted[] | undefined> {
    const tallies = wanted.map((one) => new Tally(one))
    const rowsATurn = Math.max(1, Math.min(WALK_ROWS_A_TURN, Math.floor(COMPARING_A_TURN / wanted.length)))
    let before = Number.MAX_SAFE_INTEGER
    for (let seen = 0; seen < RECORDS_COUNTED_MAX;) {
      const rows = this.#before.all(before, Math.min(rowsATurn, RECORDS_COUNTED_MAX - seen))
      for (const row of rows) if (isUnexpired(row, nowMs)) for (const tally of tallies) tally.take(row)
      seen += rows.length
      // A short batch is the end of the records, so the count is complete.
      if (rows.length < rowsATurn && seen < RECORDS_COUNTED_MAX) return tallies.map((tally) => tally.result(true))
      before = rows.at(-1)?.seq ?? 0
      await turn(this.#timers)
      if (signal?.aborted === true) return undefined
    }
    return tallies.map((tally) => tally.result(false))
  }
}

/** Counts for one caller, and collects the subjects that resemble the one it named. */
class Tally {
  readonly #wanted: CountQuery
  readonly #looks: string
  readonly #others = new Set<string>()
  readonly #nearest = new Set<string>()
  readonly #lookAlikes = new Set<string>()
  #count = 0

  constructor(wanted: CountQuery) {
    this.#wanted = wanted
    this.#looks = looksOf(wanted.subject ?? '')
  }

  take({ kid, nonce, subject }: Columns): void {
    const { kids, subject: of, untilMs = Infinity } = this.#wanted
    if (!kids.has(kid as Kid) || nonceTimeMs(nonce as Nonce) > untilMs) return
    if (of === undefined || subject === of) this.#count += 1
    else this.#compare(subject, of)
  }

  result(complete: boolean): TokensCounted {
    const nearest = [...this.#nearest].filter((one) => !this.#lookAlikes.has(one))
    return { count: this.#count, complete, nearest, lookAlikes: [...this.#lookAlikes] }
  }

  /** Compares each other subject once, up to a limit, because a comparison costs far more than reading a row. */
  #compare(other: string, subject: string): void {
    if (this.#others.has(other) || this.#others.size >= SUBJECTS_COMPARED_MAX) return
    this.#others.add(other)
    if (this.#lookAlikes.size < SUBJECTS_SHOWN_MAX && looksOf(other) === this.#looks) this.#lookAlikes.add(other)
    else if (this.#nearest.size < SUBJECTS_SHOWN_MAX && isNear(other, subject)) this.#nearest.add(other)
  }
}

/** True if the token has not expired. */
function isUnexpired({ expires_at: expiresAt }: Columns, nowMs: number): boolean {
  return expiresAt === 0 || expiresAt * 1000 > nowMs
}
