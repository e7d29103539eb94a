/** Pure: how many pings of one connection are answered. An honest replica sends a few a second, and some more for tokens that ask for it. */

export interface PingAllowance {
  readonly left: number
  readonly atMs: number
}

export const PINGS_A_SECOND_MAX = 100

export function startAllowance(nowMs: number): PingAllowance {
  return { left: PINGS_A_SECOND_MAX, atMs: nowMs }
}

/** The allowance after one more ping; undefined when that one is not to be answered. */
export function takePing({ left, atMs }: PingAllowance, nowMs: number): PingAllowance | undefined {
  const refilled = Math.min(PINGS_A_SECOND_MAX, left + ((nowMs - atMs) * PINGS_A_SECOND_MAX) / 1000)
  return refilled < 1 ? undefined : { left: refilled - 1, atMs: nowMs }
}
