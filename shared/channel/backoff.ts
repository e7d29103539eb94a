/**
 * Pure core that decides how long to wait before the next attempt to connect, and if a failure is logged. After a refusal it
 * waits longer, because only an operator can remove the cause. The shell is `supervisor.ts`.
 */
import type { ErrorCode, ErrorKind } from '../errors.ts'
import {
  CONNECTION_SETTLED_MS,
  RECONNECT_BACKOFF_BASE_MS,
  RECONNECT_BACKOFF_MS_MAX,
  REFUSED_BACKOFF_BASE_MS,
  REFUSED_BACKOFF_MS_MAX,
} from '../limits.ts'

/** The state of one supervised connection. */
export interface Backoff {
  /** Number of consecutive failures. */
  readonly failures: number
  /** Monotonic milliseconds; undefined while there is no connection. */
  readonly connectedMs: number | undefined
  /** Code of the last failure. A repeated code is not logged. */
  readonly lastCode: ErrorCode | undefined
}

export type BackoffEvent =
  | { readonly type: 'connected' }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly kind: ErrorKind }
  /** A connection ended; `code` is undefined if it ended in order. */
  | { readonly type: 'lost'; readonly code: ErrorCode | undefined }

export interface BackoffStep {
  readonly backoff: Backoff
  /** Wait this long before the next attempt; 0 after `connected`. */
  readonly delayMs: number
  /** True if this differs from the last logged event. */
  readonly mustLog: boolean
}

export const INITIAL_BACKOFF: Backoff = { failures: 0, connectedMs: undefined, lastCode: undefined }

/** `uniform` in [0, 1) gives full jitter, so that a thousand peers that lost the same node do not return at once. */
export function stepBackoff(backoff: Backoff, event: BackoffEvent, nowMs: number, uniform: number): BackoffStep {
  switch (event.type) {
    case 'connected':
      return { backoff: { ...backoff, connectedMs: nowMs, lastCode: undefined }, delayMs: 0, mustLog: true }
    case 'failed':
      return fail(backoff, event.code, event.kind === 'denied' || event.kind === 'conflict', uniform)
    case 'lost': {
      const settled = nowMs - (backoff.connectedMs ?? nowMs) >= CONNECTION_SETTLED_MS
      // A connection that was lost at once counts as a failed attempt, or peers would storm a server that drops them all.
      return fail(settled ? INITIAL_BACKOFF : backoff, event.code, false, uniform)
    }
  }
}

function fail(backoff: Backoff, code: ErrorCode | undefined, refused: boolean, uniform: number): BackoffStep {
  const baseMs = refused ? REFUSED_BACKOFF_BASE_MS : RECONNECT_BACKOFF_BASE_MS
  const capMs = refused ? REFUSED_BACKOFF_MS_MAX : RECONNECT_BACKOFF_MS_MAX
  // The exponent is bounded, so that the result stays finite after a week of failures.
  const ceilingMs = Math.min(capMs, baseMs * 2 ** Math.min(backoff.failures, 16))
  return {
    backoff: { failures: backoff.failures + 1, connectedMs: undefined, lastCode: code },
    delayMs: uniform * ceilingMs,
    mustLog: code !== backoff.lastCode,
  }
}
