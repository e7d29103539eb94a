/**
 * The audit chain (S9): the hash of each record covers the hash before it, so nobody can change, delete or insert a record
 * without breaking every later hash. hash = SHA-256(previous hash ‖ JSON of the record's fields in order). An attacker who
 * recomputes all later hashes is found only by someone who kept an earlier head.
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

/** The head of an empty chain. */
export const AUDIT_START: AuditHead = { seq: 0, hash: AUDIT_GENESIS }

export function auditHash(previous: Uint8Array, row: Omit<AuditRow, 'hash'>): Uint8Array {
  const { seq, atMs, actor, action, org, target, detail } = row
  return sha256(Buffer.concat([previous, Buffer.from(JSON.stringify([seq, atMs, actor, action, org, target, detail]))]))
}

/** Returns the first record that breaks the chain: its number or its hash is wrong. Undefined if the chain is intact. */
export function firstBrokenAuditRow(start: AuditHead, rows: Iterable<AuditRow>): AuditRow | undefined {
  let head = start
  for (const row of rows) {
    if (row.seq !== head.seq + 1 || Buffer.compare(auditHash(head.hash, row), row.hash) !== 0) return row
    head = row
  }
  return undefined
}

/** Records in one slice. Reading and checking them takes a few milliseconds. */
export const AUDIT_SLICE_ROWS = 1_000

export interface AuditSlice {
  /** The last checked record; the next slice begins after it. */
  readonly head: AuditHead
  /** True if nothing is left to check: the end was compared with `meta`, or the chain is broken. */
  readonly done: boolean
  /** The fault in words; undefined while the chain is intact. */
  readonly problem: string | undefined
}

const SELECT = `SELECT seq, at_ms AS atMs, actor, action, org, target, detail, hash FROM audit
  WHERE seq > ? ORDER BY seq LIMIT ?`

/** Checks the records after `from`. Throws SQLite's own error for a damaged page. */
export function checkAuditSlice(db: Database, from: AuditHead): AuditSlice {
  // One read transaction, because every commit moves the end of the chain that `meta` states.
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

/** Checks the whole chain of a database. Returns the fault in words, or undefined. */
export function auditProblem(db: Database): string | undefined {
  for (let head = AUDIT_START; ;) {
    const slice = checkAuditSlice(db, head)
    if (slice.done) return slice.problem
    head = slice.head
  }
}

/** True if the database has a record with this number and this hash. */
export function hasAuditRecord(db: Database, { seq, hash }: AuditHead): boolean {
  const found = db.prepare<[number], Buffer>('SELECT hash FROM audit WHERE seq = ?').pluck().get(seq)
  return found !== undefined && Buffer.compare(found, hash) === 0
}

/** Time of the newest record, unix milliseconds; of the issue clock if there is no record. */
export function newestAuditMs(db: Database): number {
  const newest = db.prepare<[], number>('SELECT at_ms FROM audit ORDER BY seq DESC LIMIT 1').pluck().get()
  return newest ?? new MetaReader(db).read().issueClockMs
}

function doesNotFollow(seq: number): string {
  return `record ${seq} does not follow from the one before it`
}

function endsEarly(found: number, stated: number): string {
  return `it ends at record ${found}; the database states that it ends at record ${stated}, with another hash`
}
