/**
 * Room for commits that come while the disk is full. SQLite appends frames to its -wal; as long as the file is longer than
 * what is in it, they overwrite bytes that have their place on the disk, and no other program can take that place between
 * two calls. SQLite, like our reader, stops at the first frame whose salts and checksum do not hold: what is behind the last
 * frame is nothing to it, as the remains of an earlier round are.
 *
 * Holds where files are overwritten in place (ext4, XFS, tmpfs); on a file system that copies on write a full disk stays full.
 */
import { closeSync, fstatSync, openSync } from 'node:fs'
import type { Entropy } from '../clock.ts'
import { databasePath } from './open-database.ts'
import { syncFile, writeAt } from '../files/positional-io.ts'
import { storageError } from '../files/storage-errors.ts'
import { frameOffset } from './wal-format.ts'

/** Random, so that no file system makes it smaller; written over and over. */
const BLOCK_BYTES = 128 * 1024
/** A WAL that grows is made longer by so much at a time, so that few commits wait for it. */
const AHEAD_BYTES = 1024 * 1024

export class WalTail {
  readonly #path: string
  readonly #fd: number
  readonly #bytes: number
  readonly #block: Buffer
  #size: number

  /** The -wal must be there. `bytes`: how much is to be behind its last frame. */
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

  /** Bytes behind this frame, as many as are wanted at most. */
  left(lastFrame: number): number {
    return Math.min(this.#bytes, Math.max(0, this.#size - frameOffset(lastFrame + 1)))
  }

  /** Makes it as long as it is to be; what there is room for stays. Throws disk_full. */
  keep(lastFrame: number): void {
    const wanted = frameOffset(lastFrame + 1) + this.#bytes
    if (this.#size >= wanted) return
    // SQLite may have made it longer itself, or have cut it off.
    this.#size = fstatSync(this.#fd).size
    const ample = wanted + Math.min(AHEAD_BYTES, this.#bytes)
    try {
      while (this.#size < ample) this.#extend(Math.min(this.#block.length, ample - this.#size))
    } catch (error) {
      if (this.#size < wanted) throw error
    }
    // Some file systems find a place for bytes only when they are synced; only then nobody else can take it.
    syncFile(this.#fd, this.#path)
  }

  /** After a checkpoint that cut the file off. */
  lookAgain(): void {
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
