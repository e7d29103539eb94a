/** Pure: things that come at any rate get their turns at a bounded one, in the order they came. */

export interface Pace {
  readonly perSecond: number
  /** So many may come together, after a pause, without waiting. */
  readonly atOnce: number
}

/** When the next turn would be, were they evenly spaced; milliseconds of the caller's clock. */
export type PaceState = number

export interface Turn {
  readonly state: PaceState
  readonly waitMs: number
}

export function takeTurn(state: PaceState, { perSecond, atOnce }: Pace, nowMs: number): Turn {
  const evenMs = 1000 / perSecond
  const atMs = Math.max(state, nowMs)
  return { state: atMs + evenMs, waitMs: Math.max(0, atMs - nowMs - (atOnce - 1) * evenMs) }
}
