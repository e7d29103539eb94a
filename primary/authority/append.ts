/** Appends one row to the log of revocations, unless a row of the same kind already covers it. */
import type { KnownRevocation } from '../../shared/verifier/revocation-row.ts'
import type { Row } from './rows.ts'
import { type AuthorityState, newestSeqOf, noteNewestSeq } from './state.ts'
import type { DecisionContext } from './decision.ts'

type Unnumbered<T> = T extends unknown ? Omit<T, 'seq'> : never

export interface Appended {
  /** The revocation binds once the revocation with this number binds, so a caller waits for this number. */
  readonly seq: number
  /** True if an earlier row covers this revocation, so nothing was written. */
  readonly already: boolean
  readonly rows: readonly Row[]
}

export interface Attribution {
  readonly org: string
  readonly actor: { readonly text: string }
  readonly reason: string
}

/** Changes the state at once, and adds to `state.undo` a function that reverts the change if the transaction fails. */
export function append(
  state: AuthorityState,
  named: Unnumbered<KnownRevocation>,
  { org, actor, reason }: Attribution,
  { nowMs }: DecisionContext,
): Appended {
  const revocation = { ...named, seq: state.revocationSeq + 1 }
  if (state.revocations.covers(revocation)) {
    // Already covered: answer with the org's newest number. Waiting for it also waits for the row that covers this one.
    return { seq: newestSeqOf(state, org) ?? state.revocationSeq, already: true, rows: [] }
  }
  state.undo.push(state.revocations.takeUndoably(revocation), noteNewestSeq(state.newestSeqs, revocation))
  state.revocationSeq = revocation.seq
  const row = { revocation, org, atMs: nowMs, actor: actor.text, reason }
  return { seq: revocation.seq, already: false, rows: [{ table: 'revocations', row }] }
}
