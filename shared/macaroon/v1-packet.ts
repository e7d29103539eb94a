/**
 * Packets of the V1 binary format: `length key SP value LF`, where the length is that of the whole packet, itself
 * included, in 4 lowercase hex digits.
 */
import { malformed, truncated } from './format-errors.ts'

export const V1_KEYS = ['location', 'identifier', 'cid', 'vid', 'cl', 'signature'] as const
export type V1Key = (typeof V1_KEYS)[number]

export const LENGTH_DIGITS = 4
export const PACKET_BYTES_MAX = 0xffff
export const SPACE = 0x20
export const NEWLINE = 0x0a

/** Shortest packet there could be: a length, a key of one letter, the space and the newline. */
const PACKET_BYTES_MIN = LENGTH_DIGITS + 3
const KEY_BYTES_MAX: number = Math.max(...V1_KEYS.map((key) => key.length))

export interface V1Packet {
  readonly key: V1Key
  readonly value: Uint8Array
  /** Where the next packet begins. */
  readonly end: number
}

/**
 * The packet at `at`. libmacaroons never ends on a length of 0000 and reads past the end of the input, and pymacaroons
 * takes uppercase digits and any byte for the newline: here there is one spelling of a packet.
 */
export function readPacket(bytes: Buffer, at: number): V1Packet {
  const end = at + lengthAt(bytes, at)
  if (end > bytes.length) throw truncated('it ends inside a packet')
  if (bytes[end - 1] !== NEWLINE) throw malformed('token_field', 'a packet does not end with a newline')
  const start = at + LENGTH_DIGITS
  const space = bytes.subarray(start, Math.min(start + KEY_BYTES_MAX + 1, end - 1)).indexOf(SPACE)
  const name = bytes.toString('latin1', start, start + Math.max(space, 0))
  const key = V1_KEYS.find((known) => known === name)
  if (key === undefined) throw malformed('token_field', 'a packet has a name that is not known')
  return {
    key,
    value: new Uint8Array(bytes.buffer, bytes.byteOffset + start + space + 1, end - start - space - 2),
    end,
  }
}

function lengthAt(bytes: Buffer, at: number): number {
  if (at + LENGTH_DIGITS > bytes.length) throw truncated('it ends before its signature')
  const digits = bytes.toString('latin1', at, at + LENGTH_DIGITS)
  if (!/^[0-9a-f]{4}$/.test(digits)) {
    throw malformed('token_length', 'the length of a packet is not 4 lowercase hex digits')
  }
  const length = Number.parseInt(digits, 16)
  if (length < PACKET_BYTES_MIN) throw malformed('token_length', 'a packet is shorter than a packet can be')
  return length
}
