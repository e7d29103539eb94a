/**
 * The two descriptors that this process keeps on a database: one on the file, opened before its first SQLite connection, and
 * one on the -shm. They are closed with the process, or after the last connection.
 *
 * Closing ANY descriptor of either file drops every POSIX lock of the process on that file. Measured: another program then
 * takes itself for the last user and deletes the -wal, and our commits are lost. So no other code may open these files, not
 * even through readFile or copyFile.
 */
import { closeSync, fstatSync, openSync } from 'node:fs'
import { MacaroondError, assert } from '../errors.ts'
import { PAGE_BYTES } from '../limits.ts'
import { databasePath, openConnections } from './open-database.ts'
import { readAt } from '../files/positional-io.ts'
import { storageError } from '../files/storage-errors.ts'
import { WalIndex } from './wal-index.ts'

export interface DatabaseFileOptions {
  /** True if a missing file is created, empty and with mode 0600. SQLite takes an empty file for a new database. */
  readonly create?: boolean
}

export class DatabaseFile {
  /** Absolute, with symbolic links resolved. The names of -wal and -shm are built from it. */
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

  /** Pages in the file itself. Pages that only the WAL has are not counted. */
  get pageCount(): number {
    return Math.floor(fstatSync(this.#fd).size / PAGE_BYTES)
  }

  /** Reads a page from the file, without the WAL. Bytes after the end of the file are zero, as SQLite reads them. */
  readPage(pgno: number, into: Uint8Array): void {
    const length = readAt(this.#fd, into, 0, PAGE_BYTES, (pgno - 1) * PAGE_BYTES)
    into.fill(0, length, PAGE_BYTES)
  }

  /** The wal-index. SQLite creates it with the first read or write of a connection. Throws closed if no connection is open. */
  get walIndex(): WalIndex {
    if (this.#walIndex?.isCurrent() === true) return this.#walIndex
    // A -shm without a name belonged to connections that are closed, so closing its descriptor drops no lock.
    this.#walIndex?.close()
    this.#walIndex = undefined
    if (openConnections(this.path) === 0) {
      throw new MacaroondError('closed', `no connection of this process has ${this.path} open`)
    }
    this.#walIndex = new WalIndex(this.path)
    return this.#walIndex
  }

  /** True if a view of all pages is being read. No frame after that view may then be copied from the WAL into the file. */
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
