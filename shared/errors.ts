/**
 * One error class with a closed union of codes: callers switch on `code`, and operators read `hint`.
 * An error means that an operation could not be done. A verdict on a token is never an error, because verdicts are values.
 */

/** The meaning of an error for its caller. The command line turns it into an exit status. */
export type ErrorKind = 'failed' | 'usage' | 'denied' | 'unavailable' | 'conflict'

/** Every code with its kind, grouped by the part that raises it. */
const KINDS = {
  // configuration, files, start
  config_invalid: 'usage',
  config_unreadable: 'usage',
  file_untrusted: 'failed',
  key_unreadable: 'failed',
  key_permissions: 'failed',
  key_malformed: 'failed',
  key_exists: 'conflict',
  kek_missing: 'failed',
  kek_wrong: 'failed',
  kek_unchanged: 'conflict',
  port_in_use: 'failed',
  disk_full: 'unavailable',
  io_failed: 'failed',
  sync_failed: 'failed',
  node_too_old: 'failed',
  already_running: 'conflict',
  platform_unsupported: 'failed',
  start_failed: 'failed',
  tour_failed: 'failed',
  answer_unwritten: 'failed',
  usage: 'usage',

  // tokens, as text or bytes
  token_malformed: 'failed',
  token_missing: 'failed',
  token_base64: 'failed',
  token_duplicate: 'failed',
  token_field: 'failed',
  token_json: 'failed',
  token_length: 'failed',
  token_location: 'failed',
  token_signature: 'failed',
  token_trailing: 'failed',
  token_utf8: 'failed',
  token_vid: 'failed',
  bundle_malformed: 'failed',
  token_truncated: 'failed',
  token_damaged: 'failed',
  token_too_large: 'failed',
  token_unsupported: 'failed',
  caveat_malformed: 'usage',

  // discharges
  ticket_invalid: 'failed',
  discharge_refused: 'denied',
  discharge_invalid: 'failed',
  discharge_unavailable: 'unavailable',
  third_party_unknown: 'usage',
  third_party_exists: 'conflict',
  third_party_missing: 'failed',
  token_refused: 'denied',

  // database and shipping
  sqlite_version: 'failed',
  schema_newer: 'failed',
  schema_older: 'failed',
  wrong_cluster: 'conflict',
  foreign_write: 'failed',
  database_corrupt: 'failed',
  repair_unfinished: 'failed',
  audit_broken: 'failed',
  database_busy: 'unavailable',
  database_exists: 'conflict',
  segment_corrupt: 'failed',
  segment_mismatch: 'conflict',
  history_unread: 'failed',
  log_corrupt: 'failed',
  position_diverged: 'conflict',
  position_superseded: 'conflict',
  position_unreached: 'unavailable',
  write_unconfirmed: 'unavailable',
  epoch_unsettled: 'unavailable',
  outcome_unknown: 'unavailable',

  // archive and restore
  archive_missing: 'failed',
  archive_unavailable: 'unavailable',
  archive_denied: 'denied',
  archive_damaged: 'failed',
  archive_unsigned: 'failed',
  archive_fenced: 'conflict',
  restore_target: 'failed',
  restore_unconfirmed: 'usage',
  repair_unconfirmed: 'usage',
  head_unwitnessed: 'usage',

  // channel
  connect_failed: 'unavailable',
  connection_lost: 'unavailable',
  handshake_failed: 'denied',
  peer_mismatch: 'denied',
  peer_refused: 'denied',
  protocol_violation: 'failed',
  timeout: 'unavailable',
  overloaded: 'unavailable',
  replica_unavailable: 'unavailable',
  closed: 'unavailable',

  // the authority
  permission_denied: 'denied',
  org_exists: 'conflict',
  org_unknown: 'failed',
  org_disabled: 'denied',
  key_unknown: 'failed',
  key_retired: 'denied',
  request_conflict: 'conflict',
  request_invalid: 'usage',
  clock_implausible: 'unavailable',
  internal: 'failed',
} as const

export type ErrorCode = keyof typeof KINDS

export interface ErrorDetails {
  /** One sentence: what the reader can do about the error. */
  readonly hint?: string
  /** With `overloaded`: milliseconds after which the caller may try again. */
  readonly retryAfterMs?: number
  readonly cause?: unknown
}

/** An operation that could not be done: a code to switch on, a message that says what happened, a hint that says what to do. */
export class MacaroondError extends Error {
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly retryAfterMs: number | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'MacaroondError'
    this.code = code
    this.hint = details.hint
    this.retryAfterMs = details.retryAfterMs
  }

  get kind(): ErrorKind {
    return KINDS[this.code]
  }
}

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(KINDS, value)
}

/** The shape under `{"error": …}` in `--json` output and in refusals on a channel. */
export interface ErrorReport {
  readonly code: ErrorCode
  readonly message: string
  readonly hint?: string
  readonly retryAfterMs?: number
}

/** Errors of other libraries become `internal`. Only their message is kept: a stack may name paths of this machine. */
export function reportOf(error: unknown): ErrorReport {
  if (error instanceof MacaroondError) {
    const { code, message, hint, retryAfterMs } = error
    return {
      code,
      message,
      ...(hint === undefined ? {} : { hint }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    }
  }
  return { code: 'internal', message: error instanceof Error ? error.message : String(error) }
}

export function fromReport({ code, message, ...details }: ErrorReport): MacaroondError {
  return new MacaroondError(code, message, details)
}

/** A broken invariant is our own bug. It crashes the process, because continuing would work on a wrong state. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message}`)
}
