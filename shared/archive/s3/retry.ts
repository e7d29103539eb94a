/** Pure core that decides whether and when a request to a store is retried. */
import { S3_ATTEMPTS_MAX, S3_RETRY_BASE_MS, S3_RETRY_MS_MAX, S3_SLOW_DOWN_BASE_MS } from '../../limits.ts'

export interface S3Failure {
  /** HTTP status; undefined if no complete answer came. */
  readonly status: number | undefined
  /** Code from the answer's document, or the system's error code; may be empty. */
  readonly code: string
  /** Delay that the store asks for. */
  readonly retryAfterMs?: number | undefined
}

const BUSY_STATUSES: readonly number[] = [429, 503]
const TRANSIENT_STATUSES: readonly number[] = [408, 500, 502, 504]
/** Codes of failures that may pass: concurrent requests, bytes damaged on the way, and errors that follow a status 200. */
const TRANSIENT_CODES: readonly string[] = [
  'InternalError',
  'ConditionalRequestConflict',
  'OperationAborted',
  'RequestTimeout',
  'IncompleteBody',
  'BadDigest',
  'XAmzContentSHA256Mismatch',
]

export function isTransient({ status, code }: S3Failure): boolean {
  return (
    status === undefined || isBusy({ status, code }) || TRANSIENT_STATUSES.includes(status) || isTransientCode(code)
  )
}

function isTransientCode(code: string): boolean {
  return TRANSIENT_CODES.includes(code)
}

function isBusy({ status = 0, code }: S3Failure): boolean {
  return BUSY_STATUSES.includes(status) || code === 'SlowDown' || code === 'ServiceUnavailable'
}

/**
 * Milliseconds to wait after attempt `attempt`, counted from 1; undefined if there is no further attempt. It uses full jitter,
 * by `uniform` in [0, 1), so that requests that failed together are not repeated together.
 */
export function retryDelayMs(failure: S3Failure, attempt: number, uniform: number): number | undefined {
  if (attempt >= S3_ATTEMPTS_MAX || !isTransient(failure)) return undefined
  const baseMs = isBusy(failure) ? S3_SLOW_DOWN_BASE_MS : S3_RETRY_BASE_MS
  const delayMs = uniform * Math.min(S3_RETRY_MS_MAX, baseMs * 2 ** (attempt - 1))
  return Math.min(S3_RETRY_MS_MAX, Math.max(delayMs, failure.retryAfterMs ?? 0))
}
