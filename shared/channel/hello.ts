/**
 * Encodes and decodes the first message in each direction. In Noise XX the dialer finishes the handshake before the server has
 * judged it, so the dialer knows that it is accepted only after the server's welcome.
 */
import { type ErrorReport, fromReport, MacaroondError } from '../errors.ts'
import { type ChannelName, isChannelName } from './channel-name.ts'
import { decodeReport, encodeReport } from './error-report.ts'
import { decodeJsonObject, encodeJson, isJsonObject, type JsonObject, type JsonValue } from './json.ts'
import { PROTOCOL_VERSION, SOFTWARE_VERSION } from './protocol-version.ts'

/** The dialer's first message. All of it is claimed, not proven. */
export interface Hello {
  readonly channel: ChannelName
  readonly software: string
  /** The `hello` of `DialOptions`. */
  readonly fields: JsonObject
}

/** The server's answer to a hello that it accepts. */
export interface Welcome {
  readonly software: string
  readonly fields: JsonObject
}

const SOFTWARE_CHARS_MAX = 64

/** True if the sender of a hello says that it understands this addition to the first version. */
export function understands({ understands: words }: JsonObject, word: string): boolean {
  return Array.isArray(words) && words.includes(word)
}

export function encodeHello(channel: ChannelName, fields: JsonObject): Uint8Array {
  return encodeJson({ protocol: PROTOCOL_VERSION, channel, software: SOFTWARE_VERSION, fields })
}

/** Throws protocol_violation if it is not a hello, peer_refused if this version does not know the channel. */
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

/** Encodes the answer to a hello that is refused. The connection is closed after it. */
export function encodeRefusal(error: ErrorReport): Uint8Array {
  return encodeJson({ ok: false, error: encodeReport(error) })
}

/** Returns the welcome. Throws the server's refusal with its code, or protocol_violation for anything else. */
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
