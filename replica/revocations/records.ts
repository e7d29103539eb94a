/**
 * The record format of the revocation journal and the file of denials: JSON text with its length and checksum.
 *
 * | offset | size | field |
 * |---|---|---|
 * | 0 | 4 | length n of the JSON text, big endian |
 * | 4 | 4 | CRC-32 of the JSON text |
 * | 8 | n | JSON |
 */
import { crc32 } from 'node:zlib'
import { MacaroondError } from '../../shared/errors.ts'

export const RECORD_HEADER_BYTES = 8

const OPENING_BRACE = 0x7b

/** Throws request_invalid for a value that is too long to be read back. */
export function encodeRecord(value: object, bytesMax: number): Buffer {
  const text = Buffer.from(JSON.stringify(value))
  if (text.length > bytesMax) {
    throw new MacaroondError(
      'request_invalid',
      `a record of ${text.length} bytes is too long: ${bytesMax} can be read`,
      {
        hint: 'a newer macaroond may have written it: upgrade this node',
      },
    )
  }
  const record = Buffer.allocUnsafe(RECORD_HEADER_BYTES + text.length)
  record.writeUInt32BE(text.length, 0)
  record.writeUInt32BE(crc32(text), 4)
  text.copy(record, RECORD_HEADER_BYTES)
  return record
}

/** The text of the record at offset `start`; undefined if there is no whole record. */
export function recordAt(bytes: Buffer, start: number, bytesMax: number): Buffer | undefined {
  if (start + RECORD_HEADER_BYTES > bytes.length) return undefined
  const length = bytes.readUInt32BE(start)
  const end = start + RECORD_HEADER_BYTES + length
  if (length === 0 || length > bytesMax || end > bytes.length) return undefined
  const text = bytes.subarray(start + RECORD_HEADER_BYTES, end)
  return crc32(text) === bytes.readUInt32BE(start + 4) ? text : undefined
}

/** The offset of the next whole record. It looks for the opening brace of JSON, which excludes most offsets cheaply. */
export function nextRecord(bytes: Buffer, from: number, bytesMax: number): number | undefined {
  for (let text = from + RECORD_HEADER_BYTES; ; text += 1) {
    text = bytes.indexOf(OPENING_BRACE, text)
    if (text === -1) return undefined
    if (recordAt(bytes, text - RECORD_HEADER_BYTES, bytesMax) !== undefined) return text - RECORD_HEADER_BYTES
  }
}

/** The parsed JSON; undefined if the text is not JSON. */
export function parseRecord(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString('utf8'))
  } catch {
    return undefined
  }
}
