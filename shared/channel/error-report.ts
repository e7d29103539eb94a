/**
 * Encodes and decodes errors between peers. Internal errors are never sent with their text, and received texts are cut to the
 * limit.
 */
import { type ErrorReport, isErrorCode, MacaroondError, reportOf } from '../errors.ts'
import { ERROR_TEXT_CHARS_MAX, RETRY_AFTER_MS_MAX } from '../limits.ts'
import { isJsonObject, type JsonObject, type JsonValue } from './json.ts'

/** The report that a peer may see: a MacaroondError as it is, and no detail of any other error. */
export function publicReport(error: unknown): ErrorReport {
  if (!(error instanceof MacaroondError) || error.code === 'internal') {
    return { code: 'internal', message: 'an internal error; the log of the node has the details' }
  }
  return reportOf(error)
}

/** Encodes a report, with its texts cut to ERROR_TEXT_CHARS_MAX. */
export function encodeReport(error: ErrorReport): JsonObject {
  const { code, message, hint, retryAfterMs } = error
  return {
    code,
    message: message.slice(0, ERROR_TEXT_CHARS_MAX),
    ...(hint === undefined ? {} : { hint: hint.slice(0, ERROR_TEXT_CHARS_MAX) }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  }
}

/** A code that this version does not know becomes `fallback`; the text is kept up to the limit. Throws protocol_violation. */
export function decodeReport(value: JsonValue | undefined, fallback: ErrorReport['code']): ErrorReport {
  if (!isJsonObject(value) || typeof value['message'] !== 'string') throw violation('an error without a message')
  const code = isErrorCode(value['code']) ? value['code'] : fallback
  const message = value['message'].slice(0, ERROR_TEXT_CHARS_MAX)
  const { hint, retryAfterMs } = value
  return {
    code,
    message,
    ...(typeof hint === 'string' ? { hint: hint.slice(0, ERROR_TEXT_CHARS_MAX) } : {}),
    ...(isDelay(retryAfterMs) ? { retryAfterMs: Math.min(retryAfterMs, RETRY_AFTER_MS_MAX) } : {}),
  }
}

function isDelay(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}

function violation(what: string): MacaroondError {
  return new MacaroondError('protocol_violation', `the peer sent ${what}`)
}
