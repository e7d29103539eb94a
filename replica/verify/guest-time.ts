/**
 * Limits the share of a replica's time that unlisted peers (guests) may use, if `verify` is open to all. Pure. All guests have
 * one debt: it grows by the cost of their calls and shrinks with real time, in proportion to their share. Guests are refused
 * while it is above `burstMs`, so that listed workers always get their part.
 */
export interface GuestShare {
  /** Share of real time, 0 to 1. */
  readonly share: number
  readonly burstMs: number
}

/** The debt in milliseconds at the monotonic time `atMs`. It shrinks with time. */
export interface GuestDebt {
  readonly debtMs: number
  readonly atMs: number
}

export const NO_DEBT: GuestDebt = { debtMs: 0, atMs: 0 }

/** Milliseconds until a guest is served again; 0 if it is served now. */
export function guestWaitMs(state: GuestDebt, { share, burstMs }: GuestShare, nowMs: number): number {
  return Math.max(0, (debtAt(state, share, nowMs) - burstMs) / share)
}

/** The debt after a call that cost `costMs`. */
export function guestServed(state: GuestDebt, { share }: GuestShare, nowMs: number, costMs: number): GuestDebt {
  return { debtMs: debtAt(state, share, nowMs) + costMs, atMs: nowMs }
}

function debtAt({ debtMs, atMs }: GuestDebt, share: number, nowMs: number): number {
  return Math.max(0, debtMs - (nowMs - atMs) * share)
}
