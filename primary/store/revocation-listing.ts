/** Reads the revocation log for people, oldest first, with the actor and the reason of each row. */
import { systemClock, turn, type Timers } from '../../shared/clock.ts'
import type { Statement } from 'better-sqlite3'
import { type StoredRevocation, rowOfColumns } from '../../shared/database/revocation-log.ts'
import type { KnownRevocation } from '../../shared/verifier/revocation-row.ts'
import type { RevocationDescription, RevocationsResult } from '../../shared/protocol/revoke.ts'
import { assert } from '../../shared/errors.ts'
import { LIST_CHARS_MAX, WALK_ROWS_A_TURN } from '../../shared/limits.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'

interface Columns extends StoredRevocation {
  readonly at_ms: number
  readonly actor: string
  readonly reason: string
}

export interface ListOptions {
  /** Rows with a higher number than this. */
  readonly after: number
  readonly limit: number
  /** True if the caller may see revocations of this org. */
  readonly visible: (org: string) => boolean
  readonly signal: AbortSignal
}

export interface FindOptions {
  readonly limit: number
  readonly matches: (row: KnownRevocation, org: string) => boolean
  readonly signal: AbortSignal
}

/**
 * The most rows that one call reads. If it finds fewer rows than `limit` that the caller may see, the caller continues from
 * `next`.
 */
const SCAN_MAX = 10_000

/** No method holds a read transaction, so a long walk may see rows that were added after it began. */
export class RevocationListing {
  readonly #after: Statement<[number, number], Columns>

  readonly #timers: Pick<Timers, 'soon'>

  constructor(db: Database, timers: Pick<Timers, 'soon'> = systemClock) {
    this.#timers = timers
    this.#after = db.prepare<[number, number], Columns>('SELECT * FROM revocations WHERE seq > ? ORDER BY seq LIMIT ?')
  }

  /** Reads in slices, so that writes continue meanwhile. Ends early once `signal` aborts. */
  async list({ after, limit, visible, signal }: ListOptions): Promise<RevocationsResult> {
    const revocations: RevocationDescription[] = []
    let last = after
    let chars = 0
    for (let scanned = 0; scanned < SCAN_MAX && !signal.aborted; scanned += WALK_ROWS_A_TURN) {
      const rows = this.#after.all(last, WALK_ROWS_A_TURN)
      for (const row of rows) {
        if (revocations.length === limit || chars > LIST_CHARS_MAX) return { revocations, next: last }
        last = row.seq
        if (!visible(row.org)) continue
        const described = describe(row)
        revocations.push(described)
        chars += JSON.stringify(described).length
      }
      if (rows.length < WALK_ROWS_A_TURN) return { revocations }
      await turn(this.#timers)
    }
    return { revocations, next: last }
  }

  /** The row with this number; undefined if there is none. */
  findBySeq(seq: number): RevocationDescription | undefined {
    const row = this.#after.get(seq - 1, 1)
    return row?.seq === seq ? describe(row) : undefined
  }

  /** The first `limit` rows that match. The log has no index, so this may read all of it, in slices. */
  async find({ limit, matches, signal }: FindOptions): Promise<RevocationDescription[]> {
    const found: RevocationDescription[] = []
    for (let after = 0; !signal.aborted;) {
      const rows = this.#after.all(after, WALK_ROWS_A_TURN)
      found.push(...rows.filter((row) => matches(requireKnown(row), row.org)).map(describe))
      if (found.length >= limit || rows.length < WALK_ROWS_A_TURN) break
      after = rows.at(-1)?.seq ?? 0
      await turn(this.#timers)
    }
    return found.slice(0, limit)
  }
}

/** A primary refuses to start on a database with revocations of an unknown kind, so none can appear here. */
function requireKnown(columns: Columns): KnownRevocation {
  const row = rowOfColumns(columns)
  assert(row.kind !== 'unknown', 'a primary does not start with a revocation of an unknown kind')
  return row
}

function describe(columns: Columns): RevocationDescription {
  const { seq, org, at_ms: atMs, expires_at: expiresAt, actor, reason } = columns
  const row = requireKnown(columns)
  return { seq, kind: row.kind, org, ...namedBy(row), atMs, expiresAt, actor, reason }
}

function namedBy(row: KnownRevocation): Partial<RevocationDescription> {
  switch (row.kind) {
    case 'token':
      return { id: `${row.kid}.${row.nonce}` }
    case 'subject':
      return { subject: row.subject, untilMs: row.untilMs }
    case 'org':
      return { untilMs: row.untilMs }
    case 'key':
      return { kid: row.kid }
    case 'org_disabled':
      return {}
  }
}
