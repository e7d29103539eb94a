/**
 * Bulk frames on the `wal` channel: a segment or a snapshot in chunks, so that no message is large, and small messages on other
 * connections of the process are sent between two chunks.
 *
 * | offset | size | field |
 * |---|---|---|
 * | 0 | 1 | kind: 1 segment, 2 snapshot |
 * | 1 | 1 | 1 on the last chunk of this segment or snapshot, else 0 |
 * | 2 | n | bytes of the LTX file |
 */
import { MacaroondError } from '../errors.ts'
import { BULK_CHUNK_BYTES } from '../limits.ts'

export const BULK_SEGMENT = 1
export const BULK_SNAPSHOT = 2
export type BulkKind = typeof BULK_SEGMENT | typeof BULK_SNAPSHOT

const HEADER_BYTES = 2

export interface BulkChunk {
  readonly kind: BulkKind
  readonly last: boolean
  /** A view into the frame; copy it to keep it. */
  readonly payload: Uint8Array
}

export function encodeChunk(kind: BulkKind, payload: Uint8Array, last: boolean): Uint8Array {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length)
  frame[0] = kind
  frame[1] = last ? 1 : 0
  frame.set(payload, HEADER_BYTES)
  return frame
}

/** Yields all frames of one LTX file, in order; the file comes in pieces of any size. */
export function* encodeChunks(kind: BulkKind, pieces: Iterable<Uint8Array>): Generator<Uint8Array> {
  const filling = Buffer.allocUnsafe(BULK_CHUNK_BYTES)
  let filled = 0
  for (const piece of pieces) {
    for (let taken = 0; taken < piece.length;) {
      // A full chunk is held back until the next byte comes, because the last chunk has a flag.
      if (filled === BULK_CHUNK_BYTES) {
        yield encodeChunk(kind, filling, false)
        filled = 0
      }
      const part = piece.subarray(taken, taken + BULK_CHUNK_BYTES - filled)
      filling.set(part, filled)
      filled += part.length
      taken += part.length
    }
  }
  yield encodeChunk(kind, filling.subarray(0, filled), true)
}

/** Throws protocol_violation. */
export function decodeChunk(frame: Uint8Array): BulkChunk {
  const kind = frame[0]
  const flag = frame[1]
  const known = (kind === BULK_SEGMENT || kind === BULK_SNAPSHOT) && (flag === 0 || flag === 1)
  if (!known || frame.length <= HEADER_BYTES || frame.length > HEADER_BYTES + BULK_CHUNK_BYTES) {
    throw new MacaroondError(
      'protocol_violation',
      `the peer sent a bulk frame of kind ${kind} with ${frame.length} bytes`,
    )
  }
  return { kind, last: flag === 1, payload: frame.subarray(HEADER_BYTES) }
}
