/**
 * The audit chain (S9): every record's hash covers the one before it, so that a record cannot be changed, dropped or put
 * in afterwards without breaking all that follow. hash = SHA-256(previous hash ‖ JSON of the record's fields in order).
 */
import { sha256 } from '../../shared/crypto.ts'
import type { AuditRow } from './rows.ts'

export const AUDIT_GENESIS: Uint8Array = new Uint8Array(32)

export interface AuditEntry {
  readonly atMs: number
  /** Name and PeerId of whoever asked. */
  readonly actor: string
  readonly action: string
  readonly org: string
  /** What it was done to: an org, a kid or a token id. */
  readonly target: string
  /** Details as a flat object; never a secret, never a token. */
  readonly detail: Readonly<Record<string, string | number | boolean>>
}

export interface AuditHead {
  readonly seq: number
  readonly hash: Uint8Array
}

export function nextAuditRow(head: AuditHead, entry: AuditEntry): AuditRow {
  const { atMs, actor, action, org, target } = entry
  const unhashed = { seq: head.seq + 1, atMs, actor, action, org, target, detail: JSON.stringify(entry.detail) }
  return { ...unhashed, hash: auditHash(head.hash, unhashed) }
}

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
