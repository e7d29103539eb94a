/**
 * Reads committed transactions from the primary's -wal, after our COMMIT. Opening and closing -wal is harmless: it carries no
 * locks.
 *
 * A frame is valid if its salts are the header's and the cumulative checksum matches. A transaction is valid if its commit
 * frame is. So `poll` never returns spilled or rolled-back frames, torn tails or the remains of earlier rounds of the log.
 */
import { closeSync, fstatSync, openSync } from 'node:fs'
import { MacaroondError } from '../errors.ts'
import { PAGE_BYTES, WAL_POLL_BYTES } from '../limits.ts'
import { databasePath } from './open-database.ts'
import { readAt } from '../files/positional-io.ts'
import { storageError } from '../files/storage-errors.ts'
import type { RunningChecksum } from './wal-checksum.ts'
import type { WalHeader } from './wal-format.ts'
import { FRAME_BYTES, FrameBuffer, WAL_HEADER_BYTES, frameOffset, parseWalHeader } from './wal-format.ts'

/**
 * A position in a WAL: the salts name one round of the log, `frame` is the last frame of a transaction (0: before the first).
 */
export interface WalPosition {
  readonly salt1: number
  readonly salt2: number
  readonly frame: number
}

export interface WalTransaction {
  readonly salt1: number
  readonly salt2: number
  /** First and last frame, counted from 1. The last one is the commit frame. */
  readonly startFrame: number
  readonly endFrame: number
  /** Size of the database after this transaction, in pages. */
  readonly commitPages: number
  /**
   * Last image of each changed page, by ascending number, without pages beyond `commitPages`.
   * The bytes belong to the reader and are overwritten by its next `poll`; encode or copy them before.
   */
  readonly pages: readonly { readonly pgno: number; readonly data: Buffer }[]
}

const FRAMES_FIRST_READ = 8
const FRAMES_READ_MAX = 256
const FRAMES_KEPT = 1024

export class WalReader {
  readonly #path: string
  readonly #after: WalPosition | undefined
  #within: WalPosition | undefined
  readonly #headerBytes: Buffer = Buffer.alloc(WAL_HEADER_BYTES)
  #fd: number | undefined
  #frames = new FrameBuffer(FRAMES_FIRST_READ)
  #header: WalHeader | undefined
  /** Last frame of the last transaction seen; `#sum` is the checksum of the log up to it. */
  #frame = 0
  #sum: RunningChecksum = { s1: 0, s2: 0 }

  /** `after`: transactions up to this recorded position were shipped before; they are verified again and not returned. */
  constructor(database: string, after?: WalPosition) {
    this.#path = `${databasePath(database)}-wal`
    this.#after = after
  }

  /**
   * Reads nothing beyond this place until the limit is lifted. A killed writer may have left a whole transaction there. SQLite
   * does not know of it while another program keeps the wal-index open, and writes the next commit over it.
   */
  limit(within: WalPosition | undefined): void {
    this.#within = within
  }

  /** Position before the next transaction. Record it with the shipped segment: after a crash reading resumes there. */
  get position(): WalPosition {
    return { salt1: this.#header?.salt1 ?? 0, salt2: this.#header?.salt2 ?? 0, frame: this.#frame }
  }

  /**
   * Returns the transactions committed since the last call, oldest first. After one commit of ours there must be exactly one:
   * none means that its frames are not in this file, more than one means that another program writes. The caller judges that,
   * and stops the primary. A long log comes in batches of about `WAL_POLL_BYTES`; at start, call until the result is empty.
   */
  poll(): WalTransaction[] {
    if (!this.#open()) return []
    let found = this.#readPastShipped()
    if (found.length === 0 && this.#adoptHeader()) found = this.#readPastShipped()
    if (found.length === 0) this.#requireLinked()
    return found
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }

  #open(): boolean {
    if (this.#fd !== undefined) return true
    try {
      this.#fd = openSync(this.#path, 'r')
      return true
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
      throw storageError(error, `opening ${this.#path}`)
    }
  }

  /**
   * True if the file has a header with new salts; reading then starts before its first frame. It is called if no new frame was
   * found: the log may have started over. A crash may also leave a header without frames, which the next commit replaces.
   */
  #adoptHeader(): boolean {
    if (readAt(this.#descriptor(), this.#headerBytes, 0, WAL_HEADER_BYTES, 0) < WAL_HEADER_BYTES) return false
    const parsed = parseWalHeader(this.#headerBytes)
    if (parsed === undefined) return false
    const { header, sum } = parsed
    if (header.salt1 === this.#header?.salt1 && header.salt2 === this.#header.salt2) return false
    if (header.pageBytes !== PAGE_BYTES) {
      throw new MacaroondError('database_corrupt', `${this.#path} has pages of ${header.pageBytes} bytes`, {
        hint: `this node works on pages of ${PAGE_BYTES} bytes: somebody changed the database`,
      })
    }
    this.#header = header
    this.#frame = 0
    this.#sum = sum
    return true
  }

  /** Skips batches that hold only shipped transactions, because an empty answer must mean the end of the log. */
  #readPastShipped(): WalTransaction[] {
    if (this.#header === undefined) return []
    for (;;) {
      const before = this.#frame
      const found = this.#readBatch(this.#header)
      if (found.length > 0 || this.#frame === before) return found
    }
  }

  #readBatch(header: WalHeader): WalTransaction[] {
    const found: WalTransaction[] = []
    const base = this.#frame
    const sum = { ...this.#sum }
    let loaded = 0
    let ended = false
    let start = 0
    for (let index = 0; start * FRAME_BYTES < WAL_POLL_BYTES; index += 1) {
      if (index === loaded && !ended) {
        loaded += this.#load(index, base)
        ended = loaded < index + framesToRead(index)
      }
      if (index === loaded || this.#beyond(header, base + index + 1)) break
      if (!this.#frames.verify(index, header, sum)) break
      const commitPages = this.#frames.commitPages(index)
      if (commitPages === 0) continue
      this.#frame = base + index + 1
      this.#sum = { ...sum }
      if (!this.#shipped(header)) found.push(this.#transaction(header, base, start, index, commitPages))
      start = index + 1
    }
    return found
  }

  /** Reads more frames after the `count` loaded ones, and returns the number of whole frames read. */
  #load(count: number, base: number): number {
    const wanted = framesToRead(count)
    if (count + wanted > this.#frames.capacity) this.#grow(count, wanted)
    else if (count === 0 && this.#frames.capacity > FRAMES_KEPT) this.#frames = new FrameBuffer(FRAMES_FIRST_READ)
    const bytes = readAt(
      this.#descriptor(),
      this.#frames.bytes,
      count * FRAME_BYTES,
      wanted * FRAME_BYTES,
      frameOffset(base + count + 1),
    )
    return Math.floor(bytes / FRAME_BYTES)
  }

  /** Allocates a larger buffer. Transactions already found keep pointing into the old one. */
  #grow(count: number, wanted: number): void {
    const grown = new FrameBuffer(Math.max(this.#frames.capacity * 2, count + wanted))
    grown.bytes.set(this.#frames.bytes.subarray(0, count * FRAME_BYTES))
    this.#frames = grown
  }

  #beyond({ salt1, salt2 }: WalHeader, frame: number): boolean {
    const within = this.#within
    return within !== undefined && (salt1 !== within.salt1 || salt2 !== within.salt2 || frame > within.frame)
  }

  #shipped(header: WalHeader): boolean {
    const after = this.#after
    if (after === undefined || this.#frame > after.frame) return false
    return header.salt1 === after.salt1 && header.salt2 === after.salt2
  }

  #transaction(header: WalHeader, base: number, start: number, end: number, commitPages: number): WalTransaction {
    const last = new Map<number, number>()
    for (let index = start; index <= end; index += 1) {
      const pgno = this.#frames.pgno(index)
      if (pgno <= commitPages) last.set(pgno, index)
    }
    const pages = [...last]
      .sort((a, b) => a[0] - b[0])
      .map(([pgno, index]) => ({ pgno, data: this.#frames.page(index) }))
    const { salt1, salt2 } = header
    return { salt1, salt2, startFrame: base + start + 1, endFrame: base + end + 1, commitPages, pages }
  }

  /**
   * Throws io_failed if the -wal was deleted, because our commits would go into a file that nobody can open. Another program
   * deletes it if our locks on the database were dropped.
   */
  #requireLinked(): void {
    if (fstatSync(this.#descriptor()).nlink > 0) return
    throw new MacaroondError('io_failed', `${this.#path} was deleted while it was in use`, {
      hint: 'stop writing: commits go nowhere. Restart the node; no other program may open or delete its files',
    })
  }

  #descriptor(): number {
    if (this.#fd === undefined) throw new Error('the WAL reader is closed')
    return this.#fd
  }
}

/** Starts small, for the few pages of one commit, and doubles as more frames follow. */
function framesToRead(loaded: number): number {
  return Math.min(Math.max(loaded, FRAMES_FIRST_READ), FRAMES_READ_MAX)
}
