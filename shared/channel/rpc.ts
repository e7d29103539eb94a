/** Encodes and decodes requests and responses: JSON objects with an id. Responses may come in any order. */
import { MacaroondError, type ErrorReport } from '../errors.ts'
import { CONTROL_MESSAGE_BYTES_MAX, METHOD_CHARS_MAX } from '../limits.ts'
import { decodeReport, encodeReport } from './error-report.ts'
import { decodeJsonObject, type JsonValue } from './json.ts'

/** Message of the error for a method that the node does not have. Callers recognise an older node by it. */
export const NO_SUCH_METHOD = 'there is no such method'

export interface RpcRequest {
  /** Chosen by the caller: 1 or more, and unique among the calls in flight on its connection. */
  readonly id: number
  readonly method: string
  readonly params: unknown
}

export type RpcResponse =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: ErrorReport }

/** Throws request_invalid if the parameters are too large, or are no JSON, such as a cycle or a bigint. */
export function encodeRequest(request: RpcRequest): Uint8Array {
  const bytes = jsonOf(request)
  if (bytes.byteLength <= CONTROL_MESSAGE_BYTES_MAX) return bytes
  const message = `the parameters of ${request.method} are too large: ${bytes.byteLength} bytes`
  throw new MacaroondError('request_invalid', message)
}

function jsonOf({ id, method, params }: RpcRequest): Uint8Array {
  try {
    return Buffer.from(JSON.stringify({ id, method, params }), 'utf8')
  } catch (cause) {
    throw new MacaroondError('request_invalid', `the parameters of ${method} are not JSON`, { cause })
  }
}

/** Throws protocol_violation. */
export function decodeRequest(message: Uint8Array): RpcRequest {
  const { id, method, params } = decodeJsonObject(message)
  if (!isId(id)) throw violation('a request without an id')
  if (typeof method !== 'string' || method.length === 0 || method.length > METHOD_CHARS_MAX) {
    throw violation('a request without a method')
  }
  return { id, method, params }
}

/** Throws TypeError if the result is no JSON, which is a bug of the handler. `undefined` is sent as null. */
export function encodeResult(id: number, result: unknown): Uint8Array {
  return Buffer.from(JSON.stringify({ id, result: result === undefined ? null : result }), 'utf8')
}

export function encodeFailure(id: number, error: ErrorReport): Uint8Array {
  return Buffer.from(JSON.stringify({ id, error: encodeReport(error) }), 'utf8')
}

/** Throws protocol_violation. */
export function decodeResponse(message: Uint8Array): RpcResponse {
  const response = decodeJsonObject(message)
  const { id, result, error } = response
  if (!isId(id)) throw violation('a response without an id')
  if (error !== undefined) return { id, error: decodeReport(error, 'internal') }
  if (result === undefined) throw violation('a response without a result')
  return { id, result }
}

function isId(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0
}

function violation(what: string): MacaroondError {
  return new MacaroondError('protocol_violation', `the peer sent ${what}`)
}
