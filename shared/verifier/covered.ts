/** Pure: what a revocation of a broader kind denies already, of all that this one names. */
import type { Kid, Nonce } from '../ids.ts'
import type { KnownRevocation } from '../protocol/revocation-row.ts'
import type { CutOffs } from './cut-offs.ts'

/**
 * `org`: that it acts in, where it is known; a token names only its key. Whatever is made from a token goes back to it, and is
 * judged by the same cut-offs.
 */
export function isCoveredByBroader(cutOffs: CutOffs, row: KnownRevocation, org: string): boolean {
  if (row.kind === 'token') {
    return cutOffs.fallen({ kid: row.kid as Kid, nonce: row.nonce as Nonce }, org, undefined) !== undefined
  }
  if (row.kind === 'org_disabled') return false
  const common = { org: row.org, seq: 0, expiresAt: 0 }
  if (cutOffs.reach({ ...common, kind: 'org_disabled' }) !== undefined) return true
  return row.kind === 'subject' && (cutOffs.reach({ ...common, kind: 'org', untilMs: 0 }) ?? -1) >= row.untilMs
}
