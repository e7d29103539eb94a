/**
 * Snapshots for replicas, written to a file first: reading the database takes as long as the disk needs, sending it as long
 * as the slowest replica does, and only the former may keep SQLite's WAL from being reset. Replicas that come at the same
 * time share one file; it goes when the last of them has it.
 */
import { closeSync, openSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { turn, type Clock, type Timers } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { checksumText, txidText } from '../../shared/ids.ts'
import { PAGE_BYTES } from '../../shared/limits.ts'
import { lockPage } from '../../shared/ltx/database-pages.ts'
import { SegmentEncoder } from '../../shared/ltx/encoder.ts'
import { PageChecksums } from '../../shared/ltx/rolling-checksum.ts'
import type { Position } from '../../shared/position.ts'
import type { PageSource } from '../../shared/sqlite/page-source.ts'
import { readAt, writeAt } from '../../shared/sqlite/positional-io.ts'
import { snapshotFields } from './snapshot-fields.ts'
import type { SnapshotSource } from './wal-session.ts'

export interface SnapshotFilesOptions {
  /** Files of an earlier run in it are deleted. */
  readonly folder: string
  /** The database as of its head; both of the same moment. */
  readonly pin: () => { readonly view: PageSource; readonly position: Position }
  readonly clock: Pick<Clock, 'wallMs'> & Timers
  /** Whether a replica that has this position can go on from the log. */
  readonly canFollow: (position: Position) => boolean
  /** The pages are not what was written: no snapshot of them may leave this node. */
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
const PAGES_A_TURN = 64

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

  /** Throws disk_full, and database_corrupt. Close the source when it is sent, or not wanted any more. */
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
    const { folder, pin, clock } = this.#options
    const { view, position } = pin()
    const path = join(folder, `${PREFIX}${txidText(position.txid)}${SUFFIX}`)
    const fd = openSync(path, 'w', 0o600)
    try {
      const encoder = new SegmentEncoder(snapshotFields(view.pageCount, position, clock.wallMs()))
      const checksum = await copyPages(view, fd, encoder, clock)
      if (checksum !== position.checksum) throw this.#damaged(checksum, position)
      this.#newest = { path, position, pages: view.pageCount, users: 0 }
      return this.#newest
    } catch (error) {
      rmSync(path, { force: true })
      throw error
    } finally {
      view.release()
      closeSync(fd)
    }
  }

  #damaged(found: Position['checksum'], { checksum }: Position): MacaroondError {
    const message = `the pages give checksum ${checksumText(found)}, not ${checksumText(checksum)}: the disk changed them`
    const error = new MacaroondError('database_corrupt', message, { hint: 'restore, or start from a replica’s copy' })
    this.#options.onDamaged(error)
    return error
  }
}

/** In turns: a gigabyte takes seconds, and commits go on meanwhile. Returns the checksum of the pages that were read. */
async function copyPages(
  view: PageSource,
  fd: number,
  encoder: SegmentEncoder,
  timers: Timers,
): Promise<Position['checksum']> {
  const checksums = new PageChecksums(PAGE_BYTES)
  const page = Buffer.alloc(PAGE_BYTES)
  let written = append(fd, encoder.header(), 0)
  for (let pgno = 1; pgno <= view.pageCount; pgno += 1) {
    if (pgno === lockPage(PAGE_BYTES)) continue
    view.readPage(pgno, page)
    checksums.set(pgno, page)
    written = append(fd, encoder.page(pgno, page), written)
    if (pgno % PAGES_A_TURN === 0) await turn(timers)
  }
  append(fd, encoder.finish(), written)
  return checksums.checksum
}

function append(fd: number, bytes: Buffer, at: number): number {
  writeAt(fd, bytes, 0, bytes.length, at)
  return at + bytes.length
}

/** Opens at once, so that the file may lose its name while it is read. */
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
