/** Records of the audit, made from what a command did. The chain itself is in shared/database/audit-chain.ts. */
import { type AuditHead, auditHash, type AuditRow } from '../../shared/database/audit-chain.ts'

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

export function nextAuditRow(head: AuditHead, entry: AuditEntry): AuditRow {
  const { atMs, actor, action, org, target } = entry
  const unhashed = { seq: head.seq + 1, atMs, actor, action, org, target, detail: JSON.stringify(entry.detail) }
  return { ...unhashed, hash: auditHash(head.hash, unhashed) }
}
