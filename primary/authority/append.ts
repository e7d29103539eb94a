/** Appends one row to the log of revocations, unless a row of the same kind already covers it. */
import type { KnownRevocation } from '../../shared/verifier/revocation-row.ts'
import type { Row } from './rows.ts'
import { type AuthorityState, newestOf, noteNewest } from './state.ts'
import type { DecisionContext } from './decision.ts'

type Unnumbered<T> = T extends unknown ? Omit<T, 'seq'> : never

export interface Appended {
  /** Number to wait for: once it binds, the revocation binds. */
  readonly seq: number
  /** True if an earlier row covers this revocation, so nothing was written. */
  readonly already: boolean
  readonly rows: readonly Row[]
}

export interface Why {
  readonly org: string
  readonly actor: { readonly text: string }
  readonly reason: string
}

/** Changes the state at once, and notes in `state.undo` how to take the change back if the transaction fails. */
export function append(
  state: AuthorityState,
  named: Unnumbered<KnownRevocation>,
  { org, actor, reason }: Why,
  { nowMs }: DecisionContext,
): Appended {
  const revocation = { ...named, seq: state.revocationSeq + 1 }
  if (state.revocations.covers(revocation)) {
    // Already covered: answer with the org's newest number. Waiting for it also waits for the row that covers this one.
    return { seq: newestOf(state, org) ?? state.revocationSeq, already: true, rows: [] }
  }
  state.undo.push(state.revocations.takeUndoably(revocation), noteNewest(state.newest, revocation))
  state.revocationSeq = revocation.seq
  const row = { revocation, org, atMs: nowMs, actor: actor.text, reason }
  return { seq: revocation.seq, already: false, rows: [{ table: 'revocations', row }] }
}
