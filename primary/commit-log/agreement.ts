/**
 * Pure: may this boot of the primary acknowledge writes? A disk that was put back to an older copy looks like any other
 * disk from inside; only who has seen later transactions can tell. So where replicas are configured, one of them has to
 * agree with this boot's position first, unless the operator said `alone`.
 *
 * A replica without a database has nothing to vouch with: empty replicas count only when every configured one is empty.
 */

export type AgreementEvent =
  /** A replica said where it stands: at a point of our history, nowhere, or where our log no longer reaches back to. */
  | { readonly kind: 'joined'; readonly replica: string; readonly standing: 'agrees' | 'empty' | 'unknown' }
  /** A replica has durably applied a position that is ours. */
  | { readonly kind: 'acknowledged'; readonly replica: string }

export interface Agreement {
  readonly confirmed: boolean
  /** Names of the configured replicas that came empty in this boot. */
  readonly empty: ReadonlySet<string>
}

export function startAgreement(replicas: readonly string[], alone: boolean): Agreement {
  return { confirmed: alone || replicas.length === 0, empty: new Set() }
}

export function stepAgreement(state: Agreement, event: AgreementEvent, replicas: readonly string[]): Agreement {
  if (state.confirmed) return state
  if (event.kind === 'joined' && event.standing === 'unknown') return state
  if (event.kind === 'joined' && event.standing === 'empty') {
    return { ...state, empty: new Set([...state.empty, event.replica]) }
  }
  // One that came empty has all it knows from this very boot: coming again with that does not make it a witness.
  const allEmpty = replicas.every((replica) => state.empty.has(replica))
  const vouches = !state.empty.has(event.replica) || allEmpty
  return { ...state, confirmed: vouches }
}
