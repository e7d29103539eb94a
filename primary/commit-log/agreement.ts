/**
 * Decides if this boot of the primary may acknowledge writes. Pure. A disk that was put back to an older copy looks like any
 * other from inside; only a witness that has seen later transactions can tell. Witnesses are replicas, and an archive on
 * another disk.
 *
 * Writes wait until one of these is true:
 * 1. A witness stands exactly where this boot started.
 * 2. Every witness has come, and none contradicted.
 * 3. The operator has set `alone`, or there are no witnesses.
 *
 * A witness that is behind proves nothing by itself: it may have been away since before the copy was made. A witness that
 * contradicts is refused earlier and never counts.
 */

export interface Joined {
  readonly witness: string
  /** True if its position, when it came, was exactly the one at which this boot started. */
  readonly atHead: boolean
}

export interface Agreement {
  readonly confirmed: boolean
  /** Witnesses that came in this boot, with a position in our history or with none. */
  readonly joined: ReadonlySet<string>
}

export function startAgreement(witnesses: readonly string[], alone: boolean): Agreement {
  return { confirmed: alone || witnesses.length === 0, joined: new Set() }
}

export function stepAgreement(state: Agreement, event: Joined, witnesses: readonly string[]): Agreement {
  if (state.confirmed) return state
  const joined = new Set([...state.joined, event.witness])
  // A witness that was behind and now reports the head has learned it from this boot, so it proves nothing about the disk.
  const vouches = event.atHead && !state.joined.has(event.witness)
  return { confirmed: vouches || witnesses.every((witness) => joined.has(witness)), joined }
}
