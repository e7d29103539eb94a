/**
 * Makes snapshots for replicas. A snapshot is written to a file first, because SQLite's WAL cannot be reset while the database
 * is read, and a slow replica may take long. Replicas that need a snapshot at the same time share one file. It is deleted when
 * the last of them has it.
 */
import { REPAIR_HINT } from '../../shared/repair-hint.ts'
import { closeSync, openSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock, Timers } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { checksumText, txidText } from '../../shared/ids.ts'
import type { Position } from '../../shared/position.ts'
import type { PageSource } from '../../shared/sqlite/page-source.ts'
import { readAt } from '../../shared/files/positional-io.ts'
import type { CommitLog } from '../commit-log/commit-log.ts'
import { snapshotFields, writeSnapshot } from '../commit-log/write-snapshot.ts'
import { storageError } from '../../shared/files/storage-errors.ts'
import type { SnapshotSource } from './wal-session.ts'

export interface SnapshotFilesOptions {
  /** Snapshot files of an earlier run in this folder are deleted. */
  readonly folder: string
  /** A view of the database at its head, and that position. */
  readonly pin: () => { readonly view: PageSource; readonly position: Position }
  readonly clock: Pick<Clock, 'wallMs'> & Timers
  /** True if a replica at this position can continue from the log. */
  readonly canFollow: (position: Position) => boolean
  /** True if the disk is full, so no file may be started. */
  readonly paused: () => boolean
  readonly onDiskFull: () => void
  /** Called if the pages do not have the expected checksum. No snapshot of them is sent. */
  readonly onDamaged: (error: MacaroondError) => void
}

interface SnapshotFile {
  readonly path: string
  readonly position: Position
  readonly pages: number
  users: number
}

const PREFIX = 'snapshot-'
const SUFFIX = '.ltx'
const READ_BYTES = 256 * 1024

export class SnapshotFiles {
  readonly #options: SnapshotFilesOptions
  #current: Promise<SnapshotFile> | undefined
  #newest: SnapshotFile | undefined

  constructor(options: SnapshotFilesOptions) {
    this.#options = options
    for (const name of readdirSync(options.folder)) {
      if (name.startsWith(PREFIX) && name.endsWith(SUFFIX)) rmSync(join(options.folder, name))
    }
  }

  /** Throws disk_full, database_corrupt. Close the source after use. */
  async open(): Promise<SnapshotSource> {
    let file = await this.#file()
    if (!this.#options.canFollow(file.position)) file = await this.#renew()
    file.users += 1
    const { position, pages, path } = file
    return { position, pages, pieces: () => piecesOf(path), close: () => this.#release(file) }
  }

  #file(): Promise<SnapshotFile> {
    this.#current ??= this.#write().catch((error: unknown) => {
      this.#current = undefined
      throw error
    })
    return this.#current
  }

  #renew(): Promise<SnapshotFile> {
    this.#current = undefined
    return this.#file()
  }

  #release(file: SnapshotFile): void {
    file.users -= 1
    if (file.users > 0) return
    rmSync(file.path, { force: true })
    if (this.#newest === file) this.#current = undefined
  }

  async #write(): Promise<SnapshotFile> {
    const { folder, pin, clock, paused, onDiskFull } = this.#options
    if (paused()) throw new MacaroondError('disk_full', 'no snapshot is made while the disk of the primary is full')
    const { view, position } = pin()
    const path = join(folder, `${PREFIX}${txidText(position.txid)}${SUFFIX}`)
    let fd: number | undefined
    try {
      fd = openSync(path, 'w', 0o600)
      const checksum = await writeSnapshot(view, snapshotFields(view.pageCount, position, clock.wallMs()), fd, {
        timers: clock,
      })
      if (checksum !== position.checksum) throw this.#damaged(checksum, position)
      this.#newest = { path, position, pages: view.pageCount, users: 0 }
      return this.#newest
    } catch (error) {
      rmSync(path, { force: true })
      const failure = storageError(error, `writing ${path}`)
      if (failure.code === 'disk_full') onDiskFull()
      throw failure
    } finally {
      // The view is released after an error too, because SQLite's WAL cannot be reset before that.
      view.release()
      if (fd !== undefined) closeSync(fd)
    }
  }

  #damaged(found: Position['checksum'], { checksum }: Position): MacaroondError {
    const message = `the pages give checksum ${checksumText(found)}, not ${checksumText(checksum)}: the disk changed them`
    const error = new MacaroondError('database_corrupt', message, { hint: REPAIR_HINT })
    this.#options.onDamaged(error)
    return error
  }
}

/** Snapshots of the primary's database at the head of its log. */
export function snapshotsOf(
  log: CommitLog,
  options: Pick<SnapshotFilesOptions, 'folder' | 'clock' | 'onDamaged'>,
): SnapshotFiles {
  return new SnapshotFiles({
    ...options,
    pin: () => ({ view: log.pin(), position: log.head }),
    canFollow: ({ txid }) => log.checksumAt(txid) !== undefined,
    paused: () => log.room.full,
    onDiskFull: () => log.room.noteFull(),
  })
}

/** Opens the file at once, so that it may be deleted while it is read. */
function piecesOf(path: string): Iterable<Uint8Array> {
  const fd = openSync(path, 'r')
  return readPieces(fd)
}

function* readPieces(fd: number): Generator<Uint8Array> {
  try {
    for (let at = 0; ;) {
      const piece = Buffer.allocUnsafe(READ_BYTES)
      const length = readAt(fd, piece, 0, READ_BYTES, at)
      if (length === 0) return
      yield piece.subarray(0, length)
      at += length
    }
  } finally {
    closeSync(fd)
  }
}
