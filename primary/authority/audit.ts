/** Makes the audit record of a command. shared/database/audit-chain.ts defines the hash chain that the records form. */
import { type AuditHead, auditHash, type AuditRow } from '../../shared/database/audit-chain.ts'

export interface AuditEntry {
  readonly atMs: number
  /** Name and PeerId of the caller. */
  readonly actor: string
  readonly action: string
  readonly org: string
  /** The org, kid or token ids that the command is about. */
  readonly target: string
  /** A flat object. Never holds a secret or a token, because every copy of the database holds the audit. */
  readonly detail: Readonly<Record<string, string | number | boolean>>
}

export function nextAuditRow(head: AuditHead, entry: AuditEntry): AuditRow {
  const { atMs, actor, action, org, target } = entry
  const unhashed = { seq: head.seq + 1, atMs, actor, action, org, target, detail: JSON.stringify(entry.detail) }
  return { ...unhashed, hash: auditHash(head.hash, unhashed) }
}
