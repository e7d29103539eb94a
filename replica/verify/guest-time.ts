/**
 * Pure: limits the share of a replica's time that unlisted peers (guests) may use, if `verify` is open to all. Their common
 * debt grows by the cost of their calls and shrinks at their share of real time. While it is above `stretchMs` they are
 * refused, so that listed workers always find time.
 */
export interface GuestShare {
  /** Share of real time, 0 to 1. */
  readonly share: number
  readonly stretchMs: number
}

/** The debt in milliseconds at the monotonic time `atMs`. It shrinks with time. */
export interface GuestDebt {
  readonly debtMs: number
  readonly atMs: number
}

export const NO_DEBT: GuestDebt = { debtMs: 0, atMs: 0 }

/** Milliseconds until a guest is served again; 0 if it is served now. */
export function guestWaitMs(state: GuestDebt, { share, stretchMs }: GuestShare, nowMs: number): number {
  return Math.max(0, (debtAt(state, share, nowMs) - stretchMs) / share)
}

/** The debt after a call that cost `costMs`. */
export function guestServed(state: GuestDebt, { share }: GuestShare, nowMs: number, costMs: number): GuestDebt {
  return { debtMs: debtAt(state, share, nowMs) + costMs, atMs: nowMs }
}

function debtAt({ debtMs, atMs }: GuestDebt, share: number, nowMs: number): number {
  return Math.max(0, debtMs - (nowMs - atMs) * share)
}
