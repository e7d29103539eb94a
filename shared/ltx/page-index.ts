/**
 * Builds the index between pages and trailer: page number, offset and length of each frame as varints (unsigned LEB128, as Go's
 * `binary.PutUvarint` writes them), a zero, and the length of all varints as u64. A reader builds the same bytes from the
 * frames and compares them, so it never parses an index from outside.
 */
import { assert } from '../errors.ts'
import { writeUint64 } from './uint64.ts'

const VARINT_BITS = 7
const VARINT_MORE = 0x80
const VARINT_BYTES_MAX: number = Math.ceil(53 / VARINT_BITS)
const ENTRY_BYTES_MAX: number = 3 * VARINT_BYTES_MAX
const END_BYTES = 1
const SIZE_BYTES = 8
const CAPACITY_MIN = 256

export class PageIndex {
  #bytes: Buffer = Buffer.allocUnsafe(CAPACITY_MIN)
  #length = 0
  #finished = false

  /** Largest possible size of the index of `pageCount` frames. */
  static bytesMax(pageCount: number): number {
    return pageCount * ENTRY_BYTES_MAX + END_BYTES + SIZE_BYTES
  }

  /** Adds the frame of `pgno`, which begins at byte `offset` of the file and is `length` bytes long. */
  add(pgno: number, offset: number, length: number): void {
    assert(!this.#finished, 'a page after the index was finished')
    this.#reserve(ENTRY_BYTES_MAX)
    this.#varint(pgno)
    this.#varint(offset)
    this.#varint(length)
  }

  /** Returns the index with its end mark and its size, about ten bytes a page. */
  finish(): Buffer {
    assert(!this.#finished, 'the index is finished once')
    this.#finished = true
    this.#reserve(END_BYTES + SIZE_BYTES)
    this.#varint(0)
    this.#length = writeUint64(this.#bytes, this.#length, this.#length)
    return this.#bytes.subarray(0, this.#length)
  }

  #varint(value: number): void {
    let rest = value
    for (; rest >= VARINT_MORE; rest = Math.floor(rest / VARINT_MORE)) {
      this.#bytes[this.#length++] = (rest % VARINT_MORE) | VARINT_MORE
    }
    this.#bytes[this.#length++] = rest
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(this.#bytes.length * 2)
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}
