/**
 * The audit chain (S9): every record's hash covers the one before it, so that a record cannot be changed, dropped or put
 * in afterwards without breaking all that follow. hash = SHA-256(previous hash ‖ JSON of the record's fields in order).
 */
import { sha256 } from '../crypto.ts'
import type { Database } from '../sqlite/open-database.ts'
import { MetaReader } from './meta.ts'

export const AUDIT_GENESIS: Uint8Array = new Uint8Array(32)

export interface AuditRow {
  readonly seq: number
  readonly atMs: number
  readonly actor: string
  readonly action: string
  readonly org: string
  readonly target: string
  readonly detail: string
  readonly hash: Uint8Array
}

export interface AuditHead {
  readonly seq: number
  readonly hash: Uint8Array
}

/** Before the first record. */
export const AUDIT_START: AuditHead = { seq: 0, hash: AUDIT_GENESIS }

export function auditHash(previous: Uint8Array, row: Omit<AuditRow, 'hash'>): Uint8Array {
  const { seq, atMs, actor, action, org, target, detail } = row
  return sha256(Buffer.concat([previous, Buffer.from(JSON.stringify([seq, atMs, actor, action, org, target, detail]))]))
}

/** The first record whose hash does not follow from the one before it; undefined when the chain holds. */
export function firstBrokenAuditRow(start: AuditHead, rows: Iterable<AuditRow>): AuditRow | undefined {
  let head = start
  for (const row of rows) {
    if (row.seq !== head.seq + 1 || Buffer.compare(auditHash(head.hash, row), row.hash) !== 0) return row
    head = row
  }
  return undefined
}

/** Records that are read and checked at once: a few milliseconds. */
export const AUDIT_SLICE_ROWS = 1_000

export interface AuditSlice {
  /** The last record that was checked: the next slice begins after it. */
  readonly head: AuditHead
  /** True once the end was compared with what the database says of it. */
  readonly done: boolean
  /** In words; undefined while the chain holds. */
  readonly problem: string | undefined
}

const SELECT = `SELECT seq, at_ms AS atMs, actor, action, org, target, detail, hash FROM audit
  WHERE seq > ? ORDER BY seq LIMIT ?`

/** Checks the records after `from`. A damaged page throws what SQLite throws. */
export function checkAuditSlice(db: Database, from: AuditHead): AuditSlice {
  // One read transaction, because the end that `meta` states moves with every commit.
  const read = db.transaction(() => ({
    rows: db.prepare<[number, number], AuditRow>(SELECT).all(from.seq, AUDIT_SLICE_ROWS),
    meta: new MetaReader(db).read(),
  }))
  const { rows, meta } = read()
  const broken = firstBrokenAuditRow(from, rows)
  if (broken !== undefined) return { head: from, done: true, problem: doesNotFollow(broken.seq) }
  const head = rows.at(-1) ?? from
  if (rows.length === AUDIT_SLICE_ROWS) return { head, done: false, problem: undefined }
  const isWhole = head.seq === meta.auditSeq && Buffer.compare(head.hash, meta.auditHead) === 0
  return { head, done: true, problem: isWhole ? undefined : endsEarly(head.seq, meta.auditSeq) }
}

/** Checks the whole chain of a database; what does not hold, in words. */
export function auditProblem(db: Database): string | undefined {
  for (let head = AUDIT_START; ;) {
    const slice = checkAuditSlice(db, head)
    if (slice.done) return slice.problem
    head = slice.head
  }
}

/** True if the record of this number is there and has this hash. */
export function hasAuditRecord(db: Database, { seq, hash }: AuditHead): boolean {
  const found = db.prepare<[number], Buffer>('SELECT hash FROM audit WHERE seq = ?').pluck().get(seq)
  return found !== undefined && Buffer.compare(found, hash) === 0
}

function doesNotFollow(seq: number): string {
  return `record ${seq} does not follow from the one before it`
}

function endsEarly(found: number, stated: number): string {
  return `it ends at record ${found}, the database says it ends at ${stated} with another hash`
}
