/** JSON from the network: bounded in size by the frame, in depth here, and never trusted in shape. */
import { MacaroondError } from '../errors.ts'
import { JSON_DEPTH_MAX } from '../limits.ts'

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject
export interface JsonObject {
  readonly [key: string]: JsonValue | undefined
}

const decoder = new TextDecoder('utf-8', { fatal: true })

export function encodeJson(value: JsonObject): Uint8Array {
  return Buffer.from(JSON.stringify(value), 'utf8')
}

/** Throws protocol_violation for what is not a JSON object in UTF-8, or is nested deeper than the limit. */
export function decodeJsonObject(bytes: Uint8Array): JsonObject {
  // Parsing is safe at any depth; what walks the value later, such as writing it out again, is recursive.
  if (nestsTooDeep(bytes)) throw violation('nested too deep')
  const value = parse(bytes)
  if (!isJsonObject(value)) throw violation('not a JSON object')
  return value
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parse(bytes: Uint8Array): unknown {
  try {
    const text = decoder.decode(bytes)
    // A reviver makes parsing five times slower, so it runs only where there is something to take out.
    return text.includes('__proto__') || text.includes('\\u') ? JSON.parse(text, withoutPrototype) : JSON.parse(text)
  } catch {
    throw violation('not JSON')
  }
}

/** `__proto__` is an ordinary key after parsing, and becomes a prototype as soon as somebody assigns it elsewhere. */
function withoutPrototype(key: string, value: unknown): unknown {
  return key === '__proto__' ? undefined : value
}

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Brackets outside of strings; ASCII bytes never occur inside a longer UTF-8 character. */
function nestsTooDeep(bytes: Uint8Array): boolean {
  let depth = 0
  let inString = false
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index]
    if (byte === QUOTE) inString = !inString
    else if (inString) index += byte === BACKSLASH ? 1 : 0
    else if (byte === 0x7b || byte === 0x5b) depth += 1
    else if (byte === 0x7d || byte === 0x5d) depth -= 1
    if (depth > JSON_DEPTH_MAX) return true
  }
  return false
}

function violation(what: string): MacaroondError {
  return new MacaroondError('protocol_violation', `the peer sent a message that is ${what}`)
}
