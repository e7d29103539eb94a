/** Pure: computes the revocations that the evidence has and a restored database lacks. They are written into it. */
import type { RevocationColumns } from '../../shared/database/revocation-columns.ts'
import type { Unsigned } from '../../shared/database/unsigned.ts'
import { revocationText } from './describe.ts'
import { type Evidence, revocationName } from './evidence.ts'

/** The revocations to write, and where they were found. */
export interface CarryOver {
  /** In the order in which they were found, each once. */
  readonly revocations: readonly RevocationColumns[]
  /** Number of the revocations that the restored state has already. */
  readonly there: number
  /** For each place: the number it knew, and the number that neither the restored state nor an earlier place knew. */
  readonly sources: readonly { readonly from: string; readonly known: number; readonly carried: number }[]
  /** Revocations of many tokens that only one running replica knows, in words. Each needs the operator's `--yes`. */
  readonly alone: readonly string[]
}

/** Computes the revocations to write. `restored` are those that the restored state has already. */
export function carryOver(restored: readonly RevocationColumns[], evidence: readonly Evidence[]): CarryOver {
  const known = new Set(restored.map(revocationName))
  const there = known.size
  const ends = provenExpiries(evidence)
  const revocations: RevocationColumns[] = []
  const sources = evidence.map(({ from, revocations: rows }) => {
    const before = revocations.length
    for (const row of rows) {
      const name = revocationName(row)
      if (known.has(name)) continue
      known.add(name)
      // The row's own end is replaced: a replica could report one that is too early.
      revocations.push({ ...row, expires_at: ends.get(name) ?? 0 })
    }
    return { from, known: rows.length, carried: revocations.length - before }
  })
  return { revocations, there, sources, alone: fromOneReplicaOnly(revocations, evidence) }
}

/**
 * The time after which a revocation may be purged, by its name: the expiry of its token. With too early a time it would be
 * purged while the token lives. So a running replica's answer does not count, the latest of several times counts, and a
 * revocation that no other place knows is never purged (0).
 */
function provenExpiries(evidence: readonly Evidence[]): ReadonlyMap<string, number> {
  const ends = new Map<string, number>()
  for (const { source, revocations } of evidence) {
    if (source.kind === 'replica') continue
    for (const row of revocations) {
      const [name, end] = [revocationName(row), Number(row['expires_at'] ?? 0)]
      const before = ends.get(name)
      ends.set(name, before === undefined || (before > 0 && (end === 0 || end > before)) ? end : before)
    }
  }
  return ends
}

/** A replica that still enforces revocations which the restored state lacks, until an operator decides. */
export interface StillRefusing {
  readonly from: string
  readonly revocations: number
}

/** The revocations that running replicas keep enforcing if the restore leaves them out, as a number for each replica. */
export function stillRefused(
  restored: readonly RevocationColumns[],
  evidence: readonly Pick<Evidence, 'from' | 'source' | 'revocations'>[],
): readonly StillRefusing[] {
  const known = new Set(restored.map(revocationName))
  return evidence
    .filter(({ source }) => source.kind === 'replica')
    .map(({ from, revocations }) => ({
      from,
      revocations: new Set(revocations.map(revocationName).filter((name) => !known.has(name))).size,
    }))
    .filter(({ revocations }) => revocations > 0)
}

/** Kinds that revoke all tokens of an org or a key. A single broken replica must not add one without the operator's consent. */
const WIDE: ReadonlySet<unknown> = new Set(['org', 'key', 'org_disabled'])

/** The wide revocations that exactly one running replica knows. */
function fromOneReplicaOnly(carried: readonly RevocationColumns[], evidence: readonly Evidence[]): readonly string[] {
  const wide = carried.filter(({ kind }) => WIDE.has(kind))
  if (wide.length === 0) return []
  const knownBy = evidence.map((one) => ({ one, names: new Set(one.revocations.map(revocationName)) }))
  return wide.flatMap((row) => {
    const [first, ...others] = knownBy.filter(({ names }) => names.has(revocationName(row))).map(({ one }) => one)
    if (first === undefined || others.length > 0 || first.source.kind !== 'replica') return []
    return [`only ${first.from} knows this, and it would be carried over: ${revocationText(row)}`]
  })
}

/** Revocations from a place that is not believed, and from no other place: they wait for an operator after the start. */
export interface PendingRevocations {
  readonly from: string
  readonly revocations: readonly Unsigned[]
}

/** The doubted revocations that neither the restored state nor a believed place has, each once. */
export function waitingBeyond(
  restored: readonly RevocationColumns[],
  carried: readonly RevocationColumns[],
  doubted: readonly PendingRevocations[],
): readonly PendingRevocations[] {
  const known = new Set([...restored, ...carried].map(revocationName))
  return doubted.flatMap(({ from, revocations }) => {
    const own = revocations.filter(({ columns }) => {
      const name = revocationName(columns)
      return !known.has(name) && known.add(name) !== undefined
    })
    return own.length === 0 ? [] : [{ from, revocations: own }]
  })
}
