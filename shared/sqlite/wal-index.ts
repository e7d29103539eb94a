/**
 * Reads and writes the wal-index of a database through a descriptor of its -shm, while SQLite maps the same file. Both see the
 * same bytes, because they share the kernel's page cache; the self-test proves it at start. A writer must hold SQLite's write
 * lock.
 */
import { closeSync, fstatSync, openSync, statSync } from 'node:fs'
import { MacaroondError, assert } from '../errors.ts'
import { readAt, writeAt } from '../files/positional-io.ts'
import { storageError } from '../files/storage-errors.ts'
import type { IndexHeader } from './wal-index-format.ts'
import {
  BACKFILLED_AT,
  BLOCK_BYTES,
  INDEX_HEADER_BYTES,
  IndexBlock,
  blockOfFrame,
  firstFrameOfBlock,
  pageNumbersAt,
  parseIndexHeader,
} from './wal-index-format.ts'

const READS_MAX = 100
/** Up to this many slots are written one by one. For more, one write of the whole table of 16 KiB is cheaper. */
const SLOT_WRITES_MAX = 24

export class WalIndex {
  readonly #path: string
  readonly #fd: number
  readonly #headers: Buffer = Buffer.alloc(2 * INDEX_HEADER_BYTES)
  readonly #word: Uint32Array = new Uint32Array(1)
  /** The block of the next frame; undefined until loaded. */
  #block: IndexBlock | undefined

  /** SQLite must have created the -shm: read something on a connection first. */
  constructor(database: string) {
    this.#path = `${database}-shm`
    try {
      this.#fd = openSync(this.#path, 'r+')
    } catch (error) {
      throw storageError(error, `opening ${this.#path}`)
    }
  }

  /**
   * Reads the last committed state. A writer in another process changes the two copies one after the other, so if they differ,
   * they are read again. Throws database_corrupt if they still differ after READS_MAX reads.
   */
  readHeader(): IndexHeader {
    for (let reads = 0; reads < READS_MAX; reads += 1) {
      const length = readAt(this.#fd, this.#headers, 0, this.#headers.length, 0)
      if (length < this.#headers.length) continue
      if (this.#headers.compare(this.#headers, 0, INDEX_HEADER_BYTES, INDEX_HEADER_BYTES) !== 0) continue
      const header = parseIndexHeader(this.#headers)
      if (header !== undefined) return header
    }
    throw new MacaroondError('database_corrupt', `the header of ${this.#path} is damaged`, {
      hint: 'restart the node: SQLite builds this file anew from the -wal',
    })
  }

  /**
   * True if the last committed state is exactly this encoded header. Every apply asks it, so it is one read without parsing.
   */
  holds(encoded: Buffer): boolean {
    readAt(this.#fd, this.#headers, 0, this.#headers.length, 0)
    return (
      encoded.compare(this.#headers, 0, INDEX_HEADER_BYTES) === 0 &&
      encoded.compare(this.#headers, INDEX_HEADER_BYTES, 2 * INDEX_HEADER_BYTES) === 0
    )
  }

  /** nBackfill: frames up to here are in the database file. */
  readBackfilled(): number {
    readAt(this.#fd, new Uint8Array(this.#word.buffer), 0, this.#word.byteLength, BACKFILLED_AT)
    return this.#word[0] as number
  }

  /** Page number of each frame up to `lastFrame`: element 0 belongs to frame 1. */
  readPageNumbers(lastFrame: number): Uint32Array {
    const numbers = new Uint32Array(lastFrame)
    const bytes = new Uint8Array(numbers.buffer)
    for (let block = 0; firstFrameOfBlock(block) <= lastFrame; block += 1) {
      const first = firstFrameOfBlock(block) - 1
      const count = Math.min(firstFrameOfBlock(block + 1) - 1, lastFrame) - first
      readAt(this.#fd, bytes, first * 4, count * 4, block * BLOCK_BYTES + pageNumbersAt(block))
    }
    return numbers
  }

  /**
   * Rebuilds the current block from its page numbers and writes it back, because a writer that died half way leaves page
   * numbers and slots after `lastFrame`. Entries of committed frames do not move, so readers in other processes are not
   * disturbed.
   */
  loadBlock(lastFrame: number): void {
    this.#block = undefined
    if (lastFrame === 0) return
    const block = new IndexBlock(blockOfFrame(lastFrame))
    const numbers = new Uint32Array(lastFrame - block.firstFrame + 1)
    const bytes = new Uint8Array(numbers.buffer)
    readAt(this.#fd, bytes, 0, bytes.length, block.number * BLOCK_BYTES + pageNumbersAt(block.number))
    for (const pgno of numbers) block.append(pgno)
    this.#writeBlock(block)
    this.#block = block
  }

  /** Enters frames after `lastFrame`. Readers ignore them until `publish`. */
  appendFrames(lastFrame: number, pageNumbers: readonly number[]): void {
    // After a restart of the log the old block is worthless.
    let block = lastFrame === 0 ? undefined : this.#block
    for (let done = 0; done < pageNumbers.length;) {
      const number = blockOfFrame(lastFrame + done + 1)
      const continues = block?.number === number
      if (block === undefined || !continues) block = new IndexBlock(number)
      assert(block.firstFrame + block.count === lastFrame + done + 1, 'the block of the wal-index was loaded')
      const part = pageNumbers.slice(done, done + block.capacity - block.count)
      if (continues) this.#extend(block, part)
      else this.#fillFresh(block, part)
      done += part.length
    }
    this.#block = block
  }

  /** Makes everything up to the header's last frame visible. Readers read the first copy first, so it is written last. */
  publish(encoded: Buffer): void {
    writeAt(this.#fd, encoded, 0, INDEX_HEADER_BYTES, INDEX_HEADER_BYTES)
    writeAt(this.#fd, encoded, 0, INDEX_HEADER_BYTES, 0)
  }

  /** True if the name still leads to the file behind this descriptor. After all connections closed, SQLite makes a new file. */
  isCurrent(): boolean {
    const named = statSync(this.#path, { throwIfNoEntry: false })
    const held = fstatSync(this.#fd)
    return named !== undefined && named.ino === held.ino && named.dev === held.dev
  }

  /** Closing drops SQLite's locks on the file, so no connection of this process may be open. `DatabaseFile` ensures it. */
  close(): void {
    closeSync(this.#fd)
  }

  /** Writes a new block whole, to remove the entries of an earlier round of the log; and readers need all 32 KiB to map it. */
  #fillFresh(block: IndexBlock, pageNumbers: readonly number[]): void {
    for (const pgno of pageNumbers) block.append(pgno)
    this.#writeBlock(block)
  }

  #extend(block: IndexBlock, pageNumbers: readonly number[]): void {
    const first = block.count
    const slots = pageNumbers.map((pgno) => block.append(pgno))
    this.#writePart(block, block.pageNumberAt(first), pageNumbers.length * Uint32Array.BYTES_PER_ELEMENT)
    if (slots.length > SLOT_WRITES_MAX) {
      const table = block.pageNumberAt(block.capacity)
      this.#writePart(block, table, BLOCK_BYTES - table)
    } else {
      for (const slot of slots) this.#writePart(block, slot, Uint16Array.BYTES_PER_ELEMENT)
    }
  }

  /** Never touches the bytes before the page numbers of block 0: header, read marks and locks belong to SQLite. */
  #writeBlock(block: IndexBlock): void {
    const start = pageNumbersAt(block.number)
    this.#writePart(block, start, BLOCK_BYTES - start)
  }

  #writePart(block: IndexBlock, start: number, length: number): void {
    writeAt(this.#fd, block.bytes, start, length, block.number * BLOCK_BYTES + start)
  }
}
