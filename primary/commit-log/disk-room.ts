/**
 * Keeps disk space in reserve for essential commands, and decides if the disk counts as full. The reserve is space that our own
 * files already occupy: the WAL beyond its last frame, and a file that the segment log overwrites. If the reserve had to be
 * freed first, the program that fills the disk would take it. The disk counts as full from the first such error until the
 * reserve is whole again and as much space is free.
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
  readonly log: Pick<SegmentLog, 'room' | 'keepReserve'>
  readonly reserveBytes: number
  readonly entropy: Entropy
  /** Last frame of the WAL that is in use. */
  readonly lastFrame: () => number
}

/** A transaction takes about twice as much in the WAL as in the log, where its pages are compressed. */
const LOG_SHARE = 1 / 3
const BLOCK_BYTES = 128 * 1024

export class DiskRoom {
  readonly #options: DiskRoomOptions
  readonly #tail: WalTail
  readonly #logBytes: number
  readonly #walBytes: number
  readonly #block: Buffer
  #full = false
  #blocked = false

  /** Fills the reserve as far as there is room. The -wal must exist. */
  constructor(options: DiskRoomOptions) {
    const { database, reserveBytes, entropy } = options
    this.#options = options
    this.#logBytes = Math.floor(reserveBytes * LOG_SHARE)
    this.#walBytes = reserveBytes - this.#logBytes
    this.#block = entropy.bytes(Math.min(BLOCK_BYTES, Math.max(1, this.#logBytes)))
    this.#tail = new WalTail(database, this.#walBytes, entropy)
    this.look()
  }

  /** True if only essential commands may be written. */
  get full(): boolean {
    return this.#full
  }

  /** True if even a revocation would find no room. An estimate: only a write can tell. */
  get spent(): boolean {
    return this.#full && this.#blocked
  }

  get bytes(): { readonly reserve: number; readonly left: number } {
    const { log, lastFrame, reserveBytes } = this.#options
    return { reserve: reserveBytes, left: this.#tail.bytesLeft(lastFrame()) + Math.min(this.#logBytes, log.room) }
  }

  /** Notes an error of this disk, which is full. */
  met(): void {
    this.#full = true
  }

  /** A disk was full that may be another one, for example the archive's. Looks at the free space of this one. */
  suspected(): void {
    if (this.#free() < DISK_ROOM_BYTES_MIN) this.#full = true
  }

  /** Called after a commit: extends the WAL by what the commit used of its reserve. */
  committed(): void {
    this.#trying(() => this.#tail.reserve(this.#options.lastFrame()))
  }

  /** Called after a checkpoint that truncated the WAL. */
  truncated(): void {
    this.#tail.refreshSize()
    this.committed()
  }

  /** Fills the reserve as far as there is room. If it is whole and as much is free, the disk no longer counts as full. */
  look(): void {
    const { log, lastFrame, reserveBytes } = this.#options
    const whole = [
      this.#trying(() => log.keepReserve(this.#logBytes, this.#block)),
      this.#trying(() => this.#tail.reserve(lastFrame())),
    ].every(Boolean)
    const free = this.#free()
    if (whole && free >= Math.max(reserveBytes, DISK_ROOM_BYTES_MIN)) this.#full = false
    const wal = this.#tail.bytesLeft(lastFrame()) + free
    this.#blocked = Math.min(wal, log.room + free) < DISK_ROOM_BYTES_MIN
  }

  close(): void {
    this.#tail.close()
  }

  /** True if the work succeeded; false if the disk is full, which is noted. Throws other errors. */
  #trying(work: () => void): boolean {
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
      throw storageError(error, `asking for the free space beside ${database}`)
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
