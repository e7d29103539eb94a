/**
 * Decides if this boot of the primary may acknowledge writes. It is pure. A primary cannot recognise by itself that its disk
 * was replaced with an older copy. Only a witness that has seen later transactions can prove it. The witnesses are the
 * replicas, and an archive on another disk.
 *
 * Writes wait until one of these is true:
 * 1. A witness is at exactly the position at which this boot started.
 * 2. Every witness has connected in this boot, and none has contradicted the primary.
 * 3. The operator has set `alone`, or there are no witnesses.
 *
 * A single witness that is behind proves nothing: it may have been disconnected since before the copy was made. A witness that
 * contradicts the primary is refused before this, and never counts.
 */

export interface Joined {
  readonly witness: string
  /** True if its position, when it connected, was exactly the one at which this boot started. */
  readonly atHead: boolean
}

export interface Agreement {
  readonly confirmed: boolean
  /** Witnesses that have connected in this boot, with a position in our history or with none. */
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
