/**
 * Reads packets of the V1 binary format: `length key SP value LF`. The length is 4 lowercase hex digits and counts the whole
 * packet, including itself.
 */
import { asciiBytes } from './bytes.ts'
import { malformed, truncated } from './format-errors.ts'

export const V1_KEYS = ['location', 'identifier', 'cid', 'vid', 'cl', 'signature'] as const
export type V1Key = (typeof V1_KEYS)[number]

export const LENGTH_DIGITS = 4
export const PACKET_BYTES_MAX = 0xffff
export const SPACE = 0x20
export const NEWLINE = 0x0a

const DIGIT_0 = 0x30
const DIGIT_9 = 0x39
const LETTER_A = 0x61
const LETTER_F = 0x66

/** The shortest packet possible: a length, a key of one letter, the space and the newline. */
const PACKET_BYTES_MIN = LENGTH_DIGITS + 3
/** The keys as bytes, with the space that follows them in a packet. */
const NAMES: readonly (readonly [V1Key, Uint8Array])[] = V1_KEYS.map((key) => [key, asciiBytes(`${key} `)])

export interface V1Packet {
  readonly key: V1Key
  readonly value: Uint8Array
  /** Offset of the next packet. */
  readonly end: number
}

/**
 * Reads the packet at offset `at`. Only the canonical encoding is accepted: libmacaroons loops forever on a length of 0000 and
 * reads past the end of the input, and pymacaroons accepts uppercase digits and any byte in place of the newline.
 */
export function readPacket(bytes: Uint8Array, at: number): V1Packet {
  const end = at + lengthAt(bytes, at)
  if (end > bytes.length) throw truncated('it ends inside a packet')
  if (bytes[end - 1] !== NEWLINE) throw malformed('token_field', 'a packet does not end with a newline')
  const start = at + LENGTH_DIGITS
  const key = keyAt(bytes, start, end - 1)
  const from = start + key.length + 1
  return { key, value: new Uint8Array(bytes.buffer, bytes.byteOffset + from, end - 1 - from), end }
}

/** Compares byte by byte, because converting names and lengths to strings costs more than the rest of reading a packet. */
function keyAt(bytes: Uint8Array, start: number, end: number): V1Key {
  for (const [key, name] of NAMES) if (start + name.length <= end && matchesAt(bytes, start, name)) return key
  throw malformed('token_field', 'a packet has an unknown name')
}

function matchesAt(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  for (let i = 0; i < wanted.length; i += 1) if (bytes[at + i] !== wanted[i]) return false
  return true
}

function lengthAt(bytes: Uint8Array, at: number): number {
  if (at + LENGTH_DIGITS > bytes.length) throw truncated('it ends before its signature')
  let length = 0
  for (let i = at; i < at + LENGTH_DIGITS; i += 1) length = length * 16 + digitOf(bytes[i] ?? 0)
  if (length < PACKET_BYTES_MIN) throw malformed('token_length', 'a packet is shorter than a packet can be')
  return length
}

function digitOf(byte: number): number {
  if (byte >= DIGIT_0 && byte <= DIGIT_9) return byte - DIGIT_0
  if (byte >= LETTER_A && byte <= LETTER_F) return byte - LETTER_A + 10
  throw malformed('token_length', 'the length of a packet is not 4 lowercase hex digits')
}
