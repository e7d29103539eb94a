/** Pure: what of all evidence a restored database lacks. */
import type { RevocationColumns } from '../../shared/database/revocation-columns.ts'
import { type Evidence, revocationName } from './evidence.ts'

export interface CarryOver {
  /** In the order in which they were found, each once. */
  readonly revocations: readonly RevocationColumns[]
  /** How many each place knew, and how many of those neither the restored state nor a place before it did. */
  readonly sources: readonly { readonly from: string; readonly known: number; readonly carried: number }[]
}

export function carryOver(restored: readonly RevocationColumns[], evidence: readonly Evidence[]): CarryOver {
  const known = new Set(restored.map(revocationName))
  const revocations: RevocationColumns[] = []
  const sources = evidence.map(({ from, revocations: rows }) => {
    const before = revocations.length
    for (const row of rows) {
      const name = revocationName(row)
      if (known.has(name)) continue
      known.add(name)
      revocations.push(row)
    }
    return { from, known: rows.length, carried: revocations.length - before }
  })
  return { revocations, sources }
}
