/**
 * The LZ4 block format (no frame, no size prefix), for one database page at a time.
 *
 * It is TypeScript instead of a native library for two reasons. Blocks come from outside, and this code cannot read or write
 * beyond its arrays. A native call for each page would cost more than the work itself: for a 4 KB page of random keys this code
 * takes half the time of a native binding, and allocates nothing.
 *
 * A block is a list of sequences: token (literal count, match length - 4; a nibble of 15 goes on in bytes of up to 255),
 * literals, match offset (u16 little endian). The last sequence ends after its literals.
 */
import { assert } from '../errors.ts'

/** Longest source, because match offsets and entries of the hash table have 16 bits. */
const SOURCE_BYTES_MAX = 65_536
const MATCH_BYTES_MIN = 4
const OFFSET_BYTES = 2
const NIBBLE_MAX = 15
const LENGTH_BYTE_MAX = 255
/** "End of block restrictions": the last five bytes are literals, the last match starts twelve bytes before the end. */
const LAST_LITERALS = 5
const LAST_MATCH_START = 12

const HASH_BITS = 12
const HASH_MULTIPLIER = 0x9e3779b1 | 0
/** The search steps one byte further after every 2^3 misses. For random keys: 0.7 % more bytes in two thirds of the time. */
const MISSES_PER_STEP_BITS = 3
/** Up to these lengths a loop is faster than a call that copies. */
const LITERALS_LOOP_MAX = 48
const MATCH_LOOP_MAX = 64

/** Hash of four bytes to their last position. All calls of `compressBlock` share it, which is safe because it never awaits. */
const positions: Uint16Array = new Uint16Array(2 ** HASH_BITS)

/** Size of the longest block that any encoder may need for `sourceBytes`. A reader may refuse longer ones. */
export function blockBytesMax(sourceBytes: number): number {
  return sourceBytes + Math.floor(sourceBytes / LENGTH_BYTE_MAX) + 16
}

/**
 * Writes `source` as one block into `out` from `at`, where `blockBytesMax` must be free, and returns the offset after it.
 * The block is never longer than `source` as plain literals: a match costs a token, two bytes of offset and at most one more
 * length byte, and saves at least four bytes.
 */
export function compressBlock(source: Uint8Array, out: Uint8Array, at: number): number {
  assert(source.length <= SOURCE_BYTES_MAX, 'an LZ4 block holds at most 64 KiB here')
  assert(out.length - at >= blockBytesMax(source.length), 'room for the longest LZ4 block')
  const view = new DataView(source.buffer, source.byteOffset, source.length)
  const searchEnd = source.length - LAST_MATCH_START
  positions.fill(0)
  let end = at
  let anchor = 0
  let misses = 0
  for (let here = 1; here <= searchEnd;) {
    const word = view.getInt32(here, true)
    const hash = Math.imul(word, HASH_MULTIPLIER) >>> (32 - HASH_BITS)
    const before = positions[hash]!
    positions[hash] = here
    if (view.getInt32(before, true) !== word) {
      here += 1 + (misses >>> MISSES_PER_STEP_BITS)
      misses += 1
      continue
    }
    const extra = bytesAlikeBefore(source, here, before, anchor)
    const matchEnd = endOfMatch(source, view, here, here - before)
    const token = end
    end = putLiterals(source, anchor, here - extra, out, token)
    end = putMatch(out, token, end, here - before, matchEnd - here + extra)
    anchor = matchEnd
    here = matchEnd
    misses = 0
  }
  return putLiterals(source, anchor, source.length, out, end)
}

/** Counts equal bytes before a match. The search skips bytes, so it may find a match in its middle. */
function bytesAlikeBefore(source: Uint8Array, here: number, before: number, anchor: number): number {
  let count = 0
  const most = Math.min(here - anchor, before)
  while (count < most && source[here - count - 1] === source[before - count - 1]) count += 1
  return count
}

function endOfMatch(source: Uint8Array, view: DataView, here: number, offset: number): number {
  const last = source.length - LAST_LITERALS
  let end = here + MATCH_BYTES_MIN
  while (end + 4 <= last && view.getInt32(end, true) === view.getInt32(end - offset, true)) end += 4
  while (end < last && source[end] === source[end - offset]) end += 1
  return end
}

/** Writes a token for `source[start, end)`, without a match yet, and these literals. */
function putLiterals(source: Uint8Array, start: number, end: number, out: Uint8Array, at: number): number {
  const count = end - start
  out[at] = Math.min(count, NIBBLE_MAX) << 4
  const to = count < NIBBLE_MAX ? at + 1 : putLength(out, at + 1, count - NIBBLE_MAX)
  if (count > LITERALS_LOOP_MAX) out.set(source.subarray(start, end), to)
  else for (let index = 0; index < count; index += 1) out[to + index] = source[start + index]!
  return to + count
}

/** Writes the match that follows the literals of the token at `token`. */
function putMatch(out: Uint8Array, token: number, at: number, offset: number, length: number): number {
  const more = length - MATCH_BYTES_MIN
  out[token]! |= Math.min(more, NIBBLE_MAX)
  out[at] = offset & 0xff
  out[at + 1] = offset >>> 8
  return more < NIBBLE_MAX ? at + OFFSET_BYTES : putLength(out, at + OFFSET_BYTES, more - NIBBLE_MAX)
}

function putLength(out: Uint8Array, at: number, length: number): number {
  let rest = length
  let end = at
  for (; rest >= LENGTH_BYTE_MAX; rest -= LENGTH_BYTE_MAX) out[end++] = LENGTH_BYTE_MAX
  out[end] = rest
  return end + 1
}

/**
 * Unpacks one block into `out`. True if the block is valid and fills `out` exactly. False if a count or an offset points
 * outside, the block is too short or too long, or its last token announces a match; `out` then holds garbage.
 */
export function decompressBlock(block: Uint8Array, out: Uint8Array): boolean {
  const blockEnd = block.length
  const outEnd = out.length
  let from = 0
  let to = 0
  while (from < blockEnd) {
    const token = block[from++]!
    let literals = token >>> 4
    if (literals === NIBBLE_MAX) {
      let more = LENGTH_BYTE_MAX
      for (; more === LENGTH_BYTE_MAX && from < blockEnd; literals += more) more = block[from++]!
      if (more === LENGTH_BYTE_MAX) return false
    }
    if (literals > outEnd - to || literals > blockEnd - from) return false
    copyLiterals(block, from, out, to, literals)
    from += literals
    to += literals
    if (from === blockEnd) return to === outEnd && (token & NIBBLE_MAX) === 0
    if (blockEnd - from < OFFSET_BYTES) return false
    const offset = block[from]! | (block[from + 1]! << 8)
    from += OFFSET_BYTES
    let length = token & NIBBLE_MAX
    if (length === NIBBLE_MAX) {
      let more = LENGTH_BYTE_MAX
      for (; more === LENGTH_BYTE_MAX && from < blockEnd; length += more) more = block[from++]!
      if (more === LENGTH_BYTE_MAX) return false
    }
    length += MATCH_BYTES_MIN
    if (offset === 0 || offset > to || length > outEnd - to) return false
    copyMatch(out, to, offset, length)
    to += length
  }
  return false
}

function copyLiterals(block: Uint8Array, from: number, out: Uint8Array, to: number, count: number): void {
  if (count > LITERALS_LOOP_MAX) out.set(block.subarray(from, from + count), to)
  else for (let index = 0; index < count; index += 1) out[to + index] = block[from + index]!
}

/** Copies a match. If it overlaps its own output (offset < length), it repeats, so the copy must go byte by byte. */
function copyMatch(out: Uint8Array, to: number, offset: number, length: number): void {
  if (length < MATCH_LOOP_MAX) for (let at = to; at < to + length; at += 1) out[at] = out[at - offset]!
  else if (offset >= length) out.copyWithin(to, to - offset, to - offset + length)
  else if (offset === 1) out.fill(out[to - 1]!, to, to + length)
  else for (let at = to; at < to + length; at += 1) out[at] = out[at - offset]!
}
