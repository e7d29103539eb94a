/**
 * The first message each way. In Noise XX the dialer is done before the server has judged it, so that only the server's
 * answer tells the dialer that it is in.
 */
import { type ErrorReport, fromReport, MacaroondError } from '../errors.ts'
import { type ChannelName, isChannelName } from './channel-name.ts'
import { decodeReport, encodeReport } from './error-report.ts'
import { decodeJsonObject, encodeJson, isJsonObject, type JsonObject, type JsonValue } from './json.ts'
import { PROTOCOL_VERSION, SOFTWARE_VERSION } from './protocol-version.ts'

export interface Hello {
  readonly channel: ChannelName
  readonly software: string
  /** What the caller of `dial` gave. */
  readonly fields: JsonObject
}

export interface Welcome {
  readonly software: string
  readonly fields: JsonObject
}

const SOFTWARE_CHARS_MAX = 64

/** Whether a hello names this as something that its sender understands beyond the first version. */
export function understands({ understands: words }: JsonObject, word: string): boolean {
  return Array.isArray(words) && words.includes(word)
}

export function encodeHello(channel: ChannelName, fields: JsonObject): Uint8Array {
  return encodeJson({ protocol: PROTOCOL_VERSION, channel, software: SOFTWARE_VERSION, fields })
}

/** Throws protocol_violation for what is not a hello, peer_refused for a channel that this version does not know. */
export function decodeHello(message: Uint8Array): Hello {
  const { protocol, channel, software, fields } = decodeJsonObject(message)
  if (protocol !== PROTOCOL_VERSION) throw violation('a hello of another protocol version')
  if (!isSoftware(software) || !isJsonObject(fields)) throw violation('no hello')
  if (!isChannelName(channel)) {
    throw new MacaroondError('peer_refused', 'this node does not know that channel', {
      hint: 'both sides should run versions of macaroond that speak the same protocol',
    })
  }
  return { channel, software, fields }
}

export function encodeWelcome(fields: JsonObject): Uint8Array {
  return encodeJson({ ok: true, software: SOFTWARE_VERSION, fields })
}

export function encodeRefusal(error: ErrorReport): Uint8Array {
  return encodeJson({ ok: false, error: encodeReport(error) })
}

/** Returns the welcome, or throws the server's refusal as the error it is; protocol_violation for anything else. */
export function decodeWelcome(message: Uint8Array): Welcome {
  const { ok, software, fields, error } = decodeJsonObject(message)
  if (ok === true && isSoftware(software) && isJsonObject(fields)) return { software, fields }
  if (ok === false) throw fromReport(decodeReport(error, 'peer_refused'))
  throw violation('neither a welcome nor a refusal')
}

function isSoftware(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && value.length <= SOFTWARE_CHARS_MAX
}

function violation(what: string): MacaroondError {
  return new MacaroondError('protocol_violation', `the peer sent ${what}`)
}
