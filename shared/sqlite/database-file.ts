/**
 * The descriptors that this process keeps on a database: one on the file, opened before its first SQLite connection, one on the -shm.
 *
 * Closing ANY descriptor of either drops every POSIX lock of the process on that file (measured: another program then takes itself for
 * the last user, deletes the -wal, and our commits go nowhere). So nothing else opens these files: no readFile, no copyFile.
 * They close with the process, or after the last connection.
 */
import { closeSync, fstatSync, openSync } from 'node:fs'
import { MacaroondError, assert } from '../errors.ts'
import { PAGE_BYTES } from '../limits.ts'
import { databasePath, openConnections } from './open-database.ts'
import { readAt } from '../files/positional-io.ts'
import { storageError } from '../files/storage-errors.ts'
import { WalIndex } from './wal-index.ts'

export interface DatabaseFileOptions {
  /** Create an empty file, readable by its owner only, where there is none: SQLite takes it for a new database. */
  readonly create?: boolean
}

export class DatabaseFile {
  /** Absolute, with symbolic links resolved: the name that -wal and -shm are built from. */
  readonly path: string
  readonly #fd: number
  #walIndex: WalIndex | undefined
  #pins = 0

  private constructor(path: string, fd: number) {
    this.path = path
    this.#fd = fd
  }

  static open(path: string, options: DatabaseFileOptions = {}): DatabaseFile {
    const real = databasePath(path)
    assert(openConnections(real) === 0, `the descriptor of ${real} is opened before its first connection`)
    try {
      return new DatabaseFile(real, openSync(real, options.create === true ? 'a+' : 'r', 0o600))
    } catch (error) {
      throw storageError(error, `opening ${real}`)
    }
  }

  /** Pages in the file itself: what the WAL holds is not counted. */
  get pageCount(): number {
    return Math.floor(fstatSync(this.#fd).size / PAGE_BYTES)
  }

  /** The page as the file has it; what the file does not reach is zero, as SQLite reads it. */
  readPage(pgno: number, into: Uint8Array): void {
    const length = readAt(this.#fd, into, 0, PAGE_BYTES, (pgno - 1) * PAGE_BYTES)
    into.fill(0, length, PAGE_BYTES)
  }

  /** The wal-index. It exists from the first read or write of a connection. */
  get walIndex(): WalIndex {
    if (this.#walIndex?.isCurrent() === true) return this.#walIndex
    // A file that lost its name belongs to connections that are gone: no lock hangs on it any more.
    this.#walIndex?.close()
    this.#walIndex = undefined
    if (openConnections(this.path) === 0) {
      throw new MacaroondError('closed', `no connection of this process has ${this.path} open`)
    }
    this.#walIndex = new WalIndex(this.path)
    return this.#walIndex
  }

  /** While a pin is held nothing may be copied from the WAL into the file beyond what the pin sees. */
  get pinned(): boolean {
    return this.#pins > 0
  }

  pin(): void {
    this.#pins += 1
  }

  unpin(): void {
    assert(this.#pins > 0, 'a pin is released once')
    this.#pins -= 1
  }

  close(): void {
    assert(openConnections(this.path) === 0, `connections of ${this.path} are closed before its descriptor`)
    this.#walIndex?.close()
    this.#walIndex = undefined
    closeSync(this.#fd)
  }
}
