/**
 * Pure: how much of a replica's time the peers that no list names may take, where `verify` is open to all. Their debt grows
 * with what their calls cost and shrinks at their share of real time; while it is above a stretch they are turned away, and
 * listed workers find a node that has time for them.
 */
export interface GuestShare {
  /** Of real time, 0 to 1. */
  readonly share: number
  readonly stretchMs: number
}

export interface GuestDebt {
  readonly debtMs: number
  readonly atMs: number
}

export const NO_DEBT: GuestDebt = { debtMs: 0, atMs: 0 }

/** Milliseconds until a guest is served again; 0 now. */
export function guestWaitMs(state: GuestDebt, { share, stretchMs }: GuestShare, nowMs: number): number {
  return Math.max(0, (debtAt(state, share, nowMs) - stretchMs) / share)
}

export function guestServed(state: GuestDebt, { share }: GuestShare, nowMs: number, costMs: number): GuestDebt {
  return { debtMs: debtAt(state, share, nowMs) + costMs, atMs: nowMs }
}

function debtAt({ debtMs, atMs }: GuestDebt, share: number, nowMs: number): number {
  return Math.max(0, debtMs - (nowMs - atMs) * share)
}
