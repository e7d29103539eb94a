/**
 * Pure: may this boot of the primary acknowledge writes? A disk that was put back to an older copy looks like any other
 * disk from inside; only who has seen later transactions can tell. So where there are witnesses, replicas or an archive
 * that lies elsewhere, writes wait until one of them stands exactly where this boot started, or until each of them has come
 * and none contradicted; or the operator says `alone`.
 *
 * A witness that is behind proves nothing by itself: it may have been away since before the copy was made. Whoever
 * contradicts is refused before it gets here, and never counts.
 */

export interface Joined {
  readonly witness: string
  /** It had, when it came, the very position at which this boot started. */
  readonly atHead: boolean
}

export interface Agreement {
  readonly confirmed: boolean
  /** Witnesses that came in this boot, and whose position is part of our history, or who have none. */
  readonly joined: ReadonlySet<string>
}

export function startAgreement(witnesses: readonly string[], alone: boolean): Agreement {
  return { confirmed: alone || witnesses.length === 0, joined: new Set() }
}

export function stepAgreement(state: Agreement, event: Joined, witnesses: readonly string[]): Agreement {
  if (state.confirmed) return state
  const joined = new Set([...state.joined, event.witness])
  // One that was behind and comes again at the head has what it knows from this very boot: that makes it no witness.
  const vouches = event.atHead && !state.joined.has(event.witness)
  return { confirmed: vouches || witnesses.every((witness) => joined.has(witness)), joined }
}
