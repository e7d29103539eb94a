/** Pure: what of all evidence a restored database lacks. */
import type { RevocationColumns } from '../../shared/database/revocation-columns.ts'
import type { Unsigned } from '../../shared/database/unsigned.ts'
import { revocationText } from './describe.ts'
import { type Evidence, revocationName } from './evidence.ts'

export interface CarryOver {
  /** In the order in which they were found, each once. */
  readonly revocations: readonly RevocationColumns[]
  /** How many each place knew, and how many of those neither the restored state nor a place before it did. */
  readonly sources: readonly { readonly from: string; readonly known: number; readonly carried: number }[]
  /** Revocations of many tokens that one replica's answer alone knows, in words: each needs the operator's yes. */
  readonly alone: readonly string[]
}

export function carryOver(restored: readonly RevocationColumns[], evidence: readonly Evidence[]): CarryOver {
  const known = new Set(restored.map(revocationName))
  const ends = provenEnds(evidence)
  const revocations: RevocationColumns[] = []
  const sources = evidence.map(({ from, revocations: rows }) => {
    const before = revocations.length
    for (const row of rows) {
      const name = revocationName(row)
      if (known.has(name)) continue
      known.add(name)
      revocations.push({ ...row, expires_at: ends.get(name) ?? 0 })
    }
    return { from, known: rows.length, carried: revocations.length - before }
  })
  return { revocations, sources, alone: toldByOne(revocations, evidence) }
}

/**
 * When the tokens end. A row with an end that is too early would be purged while its token lives, so the word of a replica that
 * was asked is not enough for that, and of several ends the latest counts; what nobody else knows stays (0).
 */
function provenEnds(evidence: readonly Evidence[]): ReadonlyMap<string, number> {
  const ends = new Map<string, number>()
  for (const { teller, revocations } of evidence) {
    if (teller.kind === 'replica') continue
    for (const row of revocations) {
      const [name, end] = [revocationName(row), Number(row['expires_at'] ?? 0)]
      const before = ends.get(name)
      ends.set(name, before === undefined || (before > 0 && (end === 0 || end > before)) ? end : before)
    }
  }
  return ends
}

/** A replica that goes on refusing what the restored state does not know, until somebody decides. */
export interface Refusing {
  readonly from: string
  readonly revocations: number
}

export function stillRefused(
  restored: readonly RevocationColumns[],
  evidence: readonly Pick<Evidence, 'from' | 'teller' | 'revocations'>[],
): readonly Refusing[] {
  const known = new Set(restored.map(revocationName))
  return evidence
    .filter(({ teller }) => teller.kind === 'replica')
    .map(({ from, revocations }) => ({
      from,
      revocations: new Set(revocations.map(revocationName).filter((name) => !known.has(name))).size,
    }))
    .filter(({ revocations }) => revocations > 0)
}

/** One of them ends the tokens of a whole org or key: a single broken replica must not be able to make it up unseen. */
const WIDE: ReadonlySet<unknown> = new Set(['org', 'key', 'org_disabled'])

function toldByOne(carried: readonly RevocationColumns[], evidence: readonly Evidence[]): readonly string[] {
  const wide = carried.filter(({ kind }) => WIDE.has(kind))
  if (wide.length === 0) return []
  const tellers = evidence.map((one) => ({ one, names: new Set(one.revocations.map(revocationName)) }))
  return wide.flatMap((row) => {
    const [first, ...others] = tellers.filter(({ names }) => names.has(revocationName(row))).map(({ one }) => one)
    if (first === undefined || others.length > 0 || first.teller.kind !== 'replica') return []
    return [`only ${first.from} knows this, and it would be carried over: ${revocationText(row)}`]
  })
}

/** Revocations of places that are not believed, which nobody else knows: they wait for an operator after the start. */
export interface PendingRevocations {
  readonly from: string
  readonly revocations: readonly Unsigned[]
}

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
