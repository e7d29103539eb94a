/**
 * Reserves disk space for essential commands, and decides if the disk counts as full. The reserve is space that our own files
 * already occupy: the WAL beyond its last frame, and a file that the segment log overwrites. A reserve that is freed first
 * would not work, because the program that fills the disk would take the freed space. The disk counts as full from the first
 * write that finds no space, until the reserve is complete again and as much space is free.
 */
import { statfsSync } from 'node:fs'
import type { Entropy } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { DISK_ROOM_BYTES_MIN } from '../../shared/limits.ts'
import { storageError } from '../../shared/files/storage-errors.ts'
import { WalTail } from '../../shared/sqlite/wal-tail.ts'
import type { SegmentLog } from './segment-log.ts'

export interface DiskRoomOptions {
  readonly database: string
  readonly logFolder: string
  readonly log: Pick<SegmentLog, 'room' | 'fillReserve'>
  readonly reserveBytes: number
  readonly entropy: Entropy
  /** Last frame of the WAL that is in use. */
  readonly lastFrame: () => number
}

/**
 * Part of the reserve for the log. A transaction takes about twice as much space in the WAL as in the log, which compresses
 * its pages.
 */
const LOG_SHARE = 1 / 3
const BLOCK_BYTES = 128 * 1024

export class DiskRoom {
  readonly #options: DiskRoomOptions
  readonly #walTail: WalTail
  readonly #logBytes: number
  readonly #walBytes: number
  readonly #block: Buffer
  #full = false
  #exhausted = false

  /** Fills the reserve as far as the disk has space. The -wal must exist. */
  constructor(options: DiskRoomOptions) {
    const { database, reserveBytes, entropy } = options
    this.#options = options
    this.#logBytes = Math.floor(reserveBytes * LOG_SHARE)
    this.#walBytes = reserveBytes - this.#logBytes
    this.#block = entropy.bytes(Math.min(BLOCK_BYTES, Math.max(1, this.#logBytes)))
    this.#walTail = new WalTail(database, this.#walBytes, entropy)
    this.refill()
  }

  /** True if only essential commands may be written. */
  get full(): boolean {
    return this.#full
  }

  /** True if even a revocation would find no space. This is an estimate: only a write shows it for certain. */
  get exhausted(): boolean {
    return this.#full && this.#exhausted
  }

  get bytes(): { readonly reserve: number; readonly left: number } {
    const { log, lastFrame, reserveBytes } = this.#options
    return { reserve: reserveBytes, left: this.#walTail.bytesLeft(lastFrame()) + Math.min(this.#logBytes, log.room) }
  }

  /** Called if a write to this disk found no space. */
  noteFull(): void {
    this.#full = true
  }

  /**
   * Called if a write found no space on a disk that may be another one, for example the archive's. Checks the free space of
   * this disk.
   */
  noteIfFull(): void {
    if (this.#free() < DISK_ROOM_BYTES_MIN) this.#full = true
  }

  /** Called after a commit. Extends the WAL by the part of its reserve that the commit used. */
  committed(): void {
    this.#attempt(() => this.#walTail.reserve(this.#options.lastFrame()))
  }

  /** Called after a checkpoint that truncated the WAL. */
  truncated(): void {
    this.#walTail.refreshSize()
    this.committed()
  }

  /**
   * Fills the reserve as far as the disk has space. If the reserve is complete and as much space is free, the disk no longer
   * counts as full.
   */
  refill(): void {
    const { log, lastFrame, reserveBytes } = this.#options
    const whole = [
      this.#attempt(() => log.fillReserve(this.#logBytes, this.#block)),
      this.#attempt(() => this.#walTail.reserve(lastFrame())),
    ].every(Boolean)
    const free = this.#free()
    if (whole && free >= Math.max(reserveBytes, DISK_ROOM_BYTES_MIN)) this.#full = false
    const wal = this.#walTail.bytesLeft(lastFrame()) + free
    this.#exhausted = Math.min(wal, log.room + free) < DISK_ROOM_BYTES_MIN
  }

  close(): void {
    this.#walTail.close()
  }

  /** True if the work succeeded. If the disk is full, notes this and returns false. Throws other errors. */
  #attempt(work: () => void): boolean {
    try {
      work()
      return true
    } catch (error) {
      if (!isDiskFull(error)) throw error
      this.#full = true
      return false
    }
  }

  /** Free bytes of the fuller of the two volumes. */
  #free(): number {
    const { database, logFolder } = this.#options
    try {
      return Math.min(...[database, logFolder].map((path) => freeBytes(path)))
    } catch (error) {
      throw storageError(error, `reading the free space of the volume of ${database}`)
    }
  }
}

export function isDiskFull(error: unknown): boolean {
  return error instanceof MacaroondError && error.code === 'disk_full'
}

function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path)
  return bavail * bsize
}
