/** How many tokens a revocation hits, as far as the records of mints tell: for people, who may have mistyped a name. */
import { systemClock, turn, type Timers } from '../../shared/clock.ts'
import type { Statement } from 'better-sqlite3'
import type { Kid, Nonce } from '../../shared/ids.ts'
import { RECORDS_COUNTED_MAX } from '../../shared/limits.ts'
import { nonceTimeMs } from '../../shared/macaroon/nonce.ts'
import type { TokensOnRecord as Counted } from '../../shared/protocol/revoke.ts'
import type { Connection } from '../../shared/sqlite/connection.ts'

interface Columns {
  readonly seq: number
  readonly kid: string
  readonly nonce: string
  readonly subject: string
  readonly expires_at: number
}

export interface Wanted {
  readonly kids: ReadonlySet<Kid>
  /** Undefined for all. */
  readonly subject?: string | undefined
  /** Issued up to then; undefined for whenever. */
  readonly untilMs?: number | undefined
}

/** Few milliseconds; then everything else has its turn. */
const ROWS_A_TURN = 2_000

export class TokensOnRecord {
  readonly #before: Statement<[number, number], Columns>

  readonly #timers: Pick<Timers, 'soon'>

  constructor(db: Connection, timers: Pick<Timers, 'soon'> = systemClock) {
    this.#timers = timers
    this.#before = db.prepare<[number, number], Columns>(
      `SELECT seq, lower(hex(kid)) AS kid, lower(hex(nonce)) AS nonce, subject, expires_at
       FROM issued WHERE seq < ? ORDER BY seq DESC LIMIT ?`,
    )
  }

  /** Those that have not expired by themselves, among the last mints. */
  async count(wanted: Wanted, nowMs: number): Promise<Counted> {
    let count = 0
    let before = Number.MAX_SAFE_INTEGER
    for (let seen = 0; seen < RECORDS_COUNTED_MAX; seen += ROWS_A_TURN) {
      const rows = this.#before.all(before, ROWS_A_TURN)
      count += rows.filter((row) => lives(row, nowMs) && isWanted(row, wanted)).length
      if (rows.length < ROWS_A_TURN) return { count, complete: true }
      before = rows.at(-1)?.seq ?? 0
      await turn(this.#timers)
    }
    return { count, complete: false }
  }
}

function lives({ expires_at: expiresAt }: Columns, nowMs: number): boolean {
  return expiresAt === 0 || expiresAt * 1000 > nowMs
}

function isWanted(
  { kid, nonce, subject }: Columns,
  { kids, subject: of = subject, untilMs = Infinity }: Wanted,
): boolean {
  return subject === of && kids.has(kid as Kid) && nonceTimeMs(nonce as Nonce) <= untilMs
}
