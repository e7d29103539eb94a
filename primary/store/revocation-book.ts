/** The revocation log as people read it: newest pages last, with who and why. */
import type { Statement } from 'better-sqlite3'
import type { RevocationDescription, RevocationsResult } from '../../shared/protocol/sign.ts'
import type { Connection } from '../../shared/sqlite/connection.ts'

interface Columns {
  readonly seq: number
  readonly kind: string
  readonly org: string
  readonly key: Buffer
  readonly at_ms: number
  readonly expires_at: number
  readonly actor: string
  readonly reason: string
}

export interface ListOptions {
  readonly after: number
  readonly limit: number
  readonly visible: (org: string) => boolean
}

/** Rows looked at in one call: a caller who sees few of many orgs goes on with `next`. */
const SCAN_MAX = 10_000

export class RevocationBook {
  readonly #after: Statement<[number, number], Columns>

  constructor(db: Connection) {
    this.#after = db.prepare<[number, number], Columns>('SELECT * FROM revocations WHERE seq > ? ORDER BY seq LIMIT ?')
  }

  list({ after, limit, visible }: ListOptions): RevocationsResult {
    const revocations: RevocationDescription[] = []
    let scanned = 0
    let last = after
    for (const row of this.#after.iterate(after, SCAN_MAX)) {
      if (revocations.length === limit) return { revocations, next: last }
      scanned += 1
      last = row.seq
      if (visible(row.org)) revocations.push(describe(row))
    }
    return scanned < SCAN_MAX ? { revocations } : { revocations, next: last }
  }
}

function describe(row: Columns): RevocationDescription {
  const key = row.key.toString('hex')
  const { seq, kind, org, actor, reason } = row
  const id = `${key.slice(0, 16)}.${key.slice(16)}`
  return { seq, kind, id, org, atMs: row.at_ms, expiresAt: row.expires_at, actor, reason }
}
