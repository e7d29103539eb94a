/**
 * Pure core that limits the answered pings of one connection. An honest replica sends a few a second, and some more for tokens
 * that demand a fresh answer.
 */

export interface PingAllowance {
  readonly left: number
  readonly atMs: number
}

export const PINGS_A_SECOND_MAX = 100

export function startAllowance(nowMs: number): PingAllowance {
  return { left: PINGS_A_SECOND_MAX, atMs: nowMs }
}

/** Returns the allowance after one more ping; undefined if that ping must not be answered. */
export function takePing({ left, atMs }: PingAllowance, nowMs: number): PingAllowance | undefined {
  const refilled = Math.min(PINGS_A_SECOND_MAX, left + ((nowMs - atMs) * PINGS_A_SECOND_MAX) / 1000)
  return refilled < 1 ? undefined : { left: refilled - 1, atMs: nowMs }
}
