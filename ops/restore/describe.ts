/** Describes a revocation, given as table columns, in words for the operator who has to decide about it. */
import { rowOfColumns } from '../../shared/database/revocation-log.ts'
import type { RevocationColumns } from '../../shared/database/revocation-columns.ts'

/** The text names the kind and what it revokes. It also works for a kind that this version does not know. */
export function revocationText(columns: RevocationColumns): string {
  const { kind, org, key } = columns
  const hex = typeof key === 'object' && key !== null ? key.hex : ''
  const row = rowOfColumns({
    seq: 1,
    kind: textOf(kind),
    org: textOf(org),
    key: Buffer.from(hex, 'hex'),
    expires_at: Number(columns['expires_at'] ?? 0),
  })
  switch (row.kind) {
    case 'token':
      return `token ${row.kid}.${row.nonce}`
    case 'subject':
      return `tokens of subject ${row.subject} of org ${row.org} issued up to ${timeText(row.untilMs)}`
    case 'org':
      return `tokens of org ${row.org} issued up to ${timeText(row.untilMs)}`
    case 'key':
      return `key ${row.kid} of org ${row.org}`
    case 'org_disabled':
      return `org ${row.org} disabled`
    case 'unknown':
      return `a revocation of kind "${textOf(kind)}"`
  }
}

function textOf(value: RevocationColumns[string] | undefined): string {
  return typeof value === 'string' ? value : ''
}

/** The time as text. A number from outside may be out of the range of dates. Then it is printed as a number. */
export function timeText(ms: number): string {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? `${ms} ms` : date.toISOString()
}
