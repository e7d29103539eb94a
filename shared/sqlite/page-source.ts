/**
 * Reads all pages of a database as of one transaction, while writes go on and without a copy in memory. Snapshots and scrubs
 * use it.
 *
 * It holds a read transaction. During it no program can copy later frames into the database file, or restart a WAL whose
 * frames it still needs. A page comes from its last frame in the WAL up to that transaction, or else from the file.
 */
import { closeSync, openSync } from 'node:fs'
import { MacaroondError } from '../errors.ts'
import { PAGE_BYTES } from '../limits.ts'
import type { Database } from './open-database.ts'
import { openGuard } from './open-database.ts'
import type { DatabaseFile } from './database-file.ts'
import { readAt } from '../files/positional-io.ts'
import { storageError } from '../files/storage-errors.ts'
import { FRAME_HEADER_BYTES, frameOffset } from './wal-format.ts'
import type { IndexHeader } from './wal-index-format.ts'
import type { WalPosition } from './wal-reader.ts'

const PIN_ATTEMPTS_MAX = 100

export class PageSource {
  readonly pageCount: number
  /** Last frame of the WAL that belongs to this view. */
  readonly position: WalPosition
  readonly #file: DatabaseFile
  readonly #pin: Database
  readonly #wal: number | undefined
  /** Maps a page number to the frame with its last image; empty if the file itself has everything. */
  readonly #frames: ReadonlyMap<number, number>
  #released = false

  private constructor(file: DatabaseFile, pin: Database, header: IndexHeader) {
    const { salt1, salt2, lastFrame } = header
    this.#file = file
    this.#pin = pin
    this.position = { salt1, salt2, frame: lastFrame }
    // This must be read after the pin was taken. If everything was copied, the view is the file alone: SQLite adds nothing to
    // the file under such a pin, but the next commit may overwrite the WAL. If less was copied, SQLite keeps the WAL.
    const copied = file.walIndex.readBackfilled() >= lastFrame
    this.pageCount = header.pages === 0 ? file.pageCount : header.pages
    this.#frames = copied ? new Map() : lastFrames(file.walIndex.readPageNumbers(lastFrame))
    this.#wal = copied ? undefined : openWal(file.path)
    file.pin()
  }

  /**
   * Opens a view of the last commit. It costs a connection and four bytes for every frame in the WAL. The caller releases it.
   */
  static pin(file: DatabaseFile): PageSource {
    const connection = openGuard(file.path)
    try {
      return new PageSource(file, connection, pinnedHeader(file, connection))
    } catch (error) {
      connection.close()
      throw storageError(error, `reading ${file.path}`)
    }
  }

  /**
   * Fills `into`, `PAGE_BYTES` long, with page `pgno`. Throws closed after `release`, database_corrupt if the WAL was cut off.
   */
  readPage(pgno: number, into: Uint8Array): void {
    if (this.#released) throw new MacaroondError('closed', 'this view of the database was released')
    if (pgno < 1 || pgno > this.pageCount || into.length < PAGE_BYTES) {
      throw new RangeError(`page ${pgno} of ${this.pageCount}`)
    }
    const frame = this.#frames.get(pgno)
    if (frame === undefined || this.#wal === undefined) return this.#file.readPage(pgno, into)
    const length = readAt(this.#wal, into, 0, PAGE_BYTES, frameOffset(frame) + FRAME_HEADER_BYTES)
    if (length === PAGE_BYTES) return
    throw new MacaroondError('database_corrupt', `the WAL of ${this.#file.path} ends before frame ${frame}`, {
      hint: 'another program truncated it: restart the node',
    })
  }

  release(): void {
    if (this.#released) return
    this.#released = true
    this.#pin.close()
    if (this.#wal !== undefined) closeSync(this.#wal)
    this.#file.unpin()
  }
}

/** Takes the pin and returns the header it sees. If the header changed meanwhile, another program wrote: release and retry. */
function pinnedHeader(file: DatabaseFile, connection: Database): IndexHeader {
  for (let attempt = 0; attempt < PIN_ATTEMPTS_MAX; attempt += 1) {
    const before = file.walIndex.readHeader()
    connection.exec('BEGIN')
    connection.prepare('SELECT count(*) FROM sqlite_schema').get()
    const after = file.walIndex.readHeader()
    if (
      before.changeCounter === after.changeCounter &&
      before.lastFrame === after.lastFrame &&
      before.salt1 === after.salt1
    ) {
      return after
    }
    connection.exec('COMMIT')
  }
  throw new MacaroondError('foreign_write', `another program keeps writing ${file.path}`, {
    hint: 'nobody but this node may write its database',
  })
}

function lastFrames(pageNumbers: Uint32Array): Map<number, number> {
  const frames = new Map<number, number>()
  pageNumbers.forEach((pgno, index) => frames.set(pgno, index + 1))
  return frames
}

function openWal(database: string): number {
  try {
    return openSync(`${database}-wal`, 'r')
  } catch (error) {
    throw storageError(error, `opening ${database}-wal`)
  }
}
