/**
 * Reserves space in the -wal for commits while the disk is full, so that a primary can still revoke. It makes the file longer
 * than its valid frames. New frames then overwrite bytes that are already allocated, and no other program can take that space.
 * SQLite and our reader stop at the first frame whose salts or checksum do not match, so both ignore the reserved bytes.
 *
 * It works on file systems that overwrite in place (ext4, XFS, tmpfs). On a copy-on-write file system a full disk stays full.
 */
import { closeSync, fstatSync, openSync } from 'node:fs'
import type { Entropy } from '../clock.ts'
import { databasePath } from './open-database.ts'
import { syncFile, writeAt } from '../files/positional-io.ts'
import { storageError } from '../files/storage-errors.ts'
import { frameOffset } from './wal-format.ts'

/** Size of the block of random bytes that is written repeatedly. Random bytes cannot be compressed by a file system. */
const BLOCK_BYTES = 128 * 1024
/** A growing WAL is extended by this much at a time, so that few commits wait for it. */
const AHEAD_BYTES = 1024 * 1024

export class WalTail {
  readonly #path: string
  readonly #fd: number
  readonly #bytes: number
  readonly #block: Buffer
  #size: number

  /** The -wal must exist. `bytes` is the space to reserve after its last frame. */
  constructor(database: string, bytes: number, entropy: Entropy) {
    this.#path = `${databasePath(database)}-wal`
    this.#bytes = bytes
    this.#block = entropy.bytes(Math.min(bytes, BLOCK_BYTES))
    try {
      this.#fd = openSync(this.#path, 'r+')
    } catch (error) {
      throw storageError(error, `opening ${this.#path}`)
    }
    this.#size = fstatSync(this.#fd).size
  }

  /** Reserved bytes after this frame, at most the configured number. */
  bytesLeft(lastFrame: number): number {
    return Math.min(this.#bytes, Math.max(0, this.#size - frameOffset(lastFrame + 1)))
  }

  /** Extends the file until the reserve is complete. A partial extension stays. Throws disk_full. */
  reserve(lastFrame: number): void {
    const wanted = frameOffset(lastFrame + 1) + this.#bytes
    if (this.#bytes === 0 || this.#size >= wanted) return
    // SQLite may have extended the file itself, or have truncated it.
    this.#size = fstatSync(this.#fd).size
    const ample = wanted + Math.min(AHEAD_BYTES, this.#bytes)
    try {
      while (this.#size < ample) this.#extend(Math.min(this.#block.length, ample - this.#size))
    } catch (error) {
      if (this.#size < wanted) throw error
    }
    // Some file systems allocate blocks only on sync. Before that, another program could take the space.
    syncFile(this.#fd, this.#path)
  }

  /** Reads the size again, after a checkpoint that truncated the file. */
  refreshSize(): void {
    this.#size = fstatSync(this.#fd).size
  }

  close(): void {
    closeSync(this.#fd)
  }

  #extend(bytes: number): void {
    try {
      writeAt(this.#fd, this.#block, 0, bytes, this.#size)
    } finally {
      this.#size = fstatSync(this.#fd).size
    }
  }
}
