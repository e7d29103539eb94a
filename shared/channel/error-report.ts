/** Errors on their way between peers: what may be said, and what is made of what the other side said. */
import { type ErrorReport, isErrorCode, MacaroondError } from '../errors.ts'
import { ERROR_TEXT_CHARS_MAX } from '../limits.ts'
import { isJsonObject, type JsonObject, type JsonValue } from './json.ts'

/** What a stranger may hear: our own words, and nothing of what went wrong inside. */
export function publicReport(error: unknown): ErrorReport {
  if (!(error instanceof MacaroondError) || error.code === 'internal') {
    return { code: 'internal', message: 'an internal error; the log of the node has the details' }
  }
  const { code, message, hint } = error
  return hint === undefined ? { code, message } : { code, message, hint }
}

export function encodeReport(error: ErrorReport): JsonObject {
  const message = error.message.slice(0, ERROR_TEXT_CHARS_MAX)
  if (error.hint === undefined) return { code: error.code, message }
  return { code: error.code, message, hint: error.hint.slice(0, ERROR_TEXT_CHARS_MAX) }
}

/** A code that this version does not know becomes `fallback`; the other side's text is kept, within the limit. */
export function decodeReport(value: JsonValue | undefined, fallback: ErrorReport['code']): ErrorReport {
  if (!isJsonObject(value) || typeof value['message'] !== 'string') throw violation('an error without a message')
  const code = isErrorCode(value['code']) ? value['code'] : fallback
  const message = value['message'].slice(0, ERROR_TEXT_CHARS_MAX)
  const hint = value['hint']
  return typeof hint === 'string' ? { code, message, hint: hint.slice(0, ERROR_TEXT_CHARS_MAX) } : { code, message }
}

function violation(what: string): MacaroondError {
  return new MacaroondError('protocol_violation', `the peer sent ${what}`)
}
