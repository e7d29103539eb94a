/** One row more in the log of revocations, unless it would add nothing. */
import type { KnownRevocation } from '../../shared/verifier/revocation-row.ts'
import type { Row } from './rows.ts'
import { type AuthorityState, newestOf, noteNewest } from './state.ts'
import type { DecisionContext } from './decision.ts'

type Unnumbered<T> = T extends unknown ? Omit<T, 'seq'> : never

export interface Appended {
  readonly seq: number
  readonly already: boolean
  readonly rows: readonly Row[]
}

export interface Why {
  readonly org: string
  readonly actor: { readonly text: string }
  readonly reason: string
}

export function append(
  state: AuthorityState,
  named: Unnumbered<KnownRevocation>,
  { org, actor, reason }: Why,
  { nowMs }: DecisionContext,
): Appended {
  const revocation = { ...named, seq: state.revocationSeq + 1 }
  if (state.revocations.covers(revocation)) {
    // The row that covers it acts in this org, so it is none after the newest of it: whoever waits for that waits for it too.
    return { seq: newestOf(state, org) ?? state.revocationSeq, already: true, rows: [] }
  }
  state.undo.push(state.revocations.takeUndoably(revocation), noteNewest(state.newest, revocation))
  state.revocationSeq = revocation.seq
  const row = { revocation, org, atMs: nowMs, actor: actor.text, reason }
  return { seq: revocation.seq, already: false, rows: [{ table: 'revocations', row }] }
}
