/**
 * The reserve of the disk, and whether the disk counts as full. The reserve is bytes that our own files have already: behind
 * the last frame of SQLite's WAL, and a file that the segment log writes over. A reserve that had to be freed first would be
 * taken by whatever fills the disk. From the first error of a full disk until the reserve is whole again, and as much again is
 * free, only what is pressing is written.
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
  /** Last frame of the WAL that holds anything. */
  readonly lastFrame: () => number
}

/** A transaction's pages take about twice as much in the WAL as packed in the log. */
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

  /** Does what it can to make the reserve whole. The -wal must be there. */
  constructor(options: DiskRoomOptions) {
    const { database, reserveBytes, entropy } = options
    this.#options = options
    this.#logBytes = Math.floor(reserveBytes * LOG_SHARE)
    this.#walBytes = reserveBytes - this.#logBytes
    this.#block = entropy.bytes(Math.min(BLOCK_BYTES, Math.max(1, this.#logBytes)))
    this.#tail = new WalTail(database, this.#walBytes, entropy)
    this.look()
  }

  /** Only what is pressing is to be written. */
  get full(): boolean {
    return this.#full
  }

  /** Not even a revocation would find room, as far as can be told without writing it. */
  get spent(): boolean {
    return this.#full && this.#blocked
  }

  get bytes(): { readonly reserve: number; readonly left: number } {
    const { log, lastFrame, reserveBytes } = this.#options
    return { reserve: reserveBytes, left: this.#tail.left(lastFrame()) + Math.min(this.#logBytes, log.room) }
  }

  /** An error of this disk, which is full. */
  met(): void {
    this.#full = true
  }

  /** The same, which may be of another disk: of the archive's, which is not this one's affair. */
  suspected(): void {
    if (this.#free() < DISK_ROOM_BYTES_MIN) this.#full = true
  }

  /** After a commit: what it took of the room behind the WAL's last frame is added again. */
  committed(): void {
    this.#trying(() => this.#tail.keep(this.#options.lastFrame()))
  }

  /** After a checkpoint that cut the WAL off. */
  truncated(): void {
    this.#tail.lookAgain()
    this.committed()
  }

  /** Makes the reserve whole, as far as there is room, and ends the state of a full disk where there is as much again. */
  look(): void {
    const { log, lastFrame, reserveBytes } = this.#options
    const whole = [
      this.#trying(() => log.keepReserve(this.#logBytes, this.#block)),
      this.#trying(() => this.#tail.keep(lastFrame())),
    ].every(Boolean)
    const free = this.#free()
    if (whole && free >= Math.max(reserveBytes, DISK_ROOM_BYTES_MIN)) this.#full = false
    const wal = this.#tail.left(lastFrame()) + free
    this.#blocked = Math.min(wal, log.room + free) < DISK_ROOM_BYTES_MIN
  }

  close(): void {
    this.#tail.close()
  }

  /** True where it was done; a full disk is taken down, other errors are thrown. */
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

  /** Of the volume that has less. */
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
