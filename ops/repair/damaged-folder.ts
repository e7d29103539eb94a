/**
 * The data folder of a primary that does not start any more. A repair overwrites and deletes nothing: it moves the damaged
 * files into a folder of their own, which is complete and can be used as the data folder of an old primary (`--old-data`).
 *
 * While files are moved, that folder is named `required-damaged-…`, and no node starts while it exists. The next repair finds
 * it and resumes: if the new database is in place, only the last step is done; otherwise all files are moved back first.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { MacaroondError } from '../../shared/errors.ts'
import { REPAIRING_PREFIX, REQUIRED_PREFIX } from '../../shared/files/required-files.ts'
import { lockForRepair, type NodeLock } from '../../shared/sqlite/node-lock.ts'
import { syncDirectory } from '../../shared/files/positional-io.ts'
import { storageError } from '../../shared/files/storage-errors.ts'

const DATABASE = 'macaroond.db'
/** The files in the order in which they are moved. The database is last, so its place shows how far a repair came. */
const MOVED = ['log', 'audit-checked.json', `${DATABASE}-shm`, `${DATABASE}-wal`, DATABASE] as const

/** Holds the lock of the data folder from `open` to `close`, so no primary can start in between. */
export class DamagedFolder {
  readonly path: string
  /** Folder of the damaged files, if an interrupted repair lacked only its last step. That step has been done by `open`. */
  readonly finished: string | undefined
  readonly #lock: NodeLock

  private constructor(path: string, lock: NodeLock) {
    this.path = path
    this.#lock = lock
    this.finished = this.#resume()
  }

  /** Throws already_running, schema_newer, io_failed. */
  static open(path: string): DamagedFolder {
    if (!existsSync(path)) {
      throw new MacaroondError('io_failed', `there is no data folder ${path}`, {
        hint: 'check `data` in the configuration; if the whole folder is lost, use `macaroond restore`',
      })
    }
    const lock = lockForRepair(path)
    try {
      return new DamagedFolder(path, lock)
    } catch (error) {
      lock.release()
      throw storageError(error, `resuming the repair of ${path}`)
    }
  }

  get database(): string {
    return join(this.path, DATABASE)
  }

  /** Moves the damaged files aside and puts a finished database in place. Returns the folder of the damaged files. */
  replace(database: string, nowMs: number): string {
    try {
      sync(database)
      const aside = this.#makeAside(nowMs)
      // If the database was deleted, an empty file stands for it: the place of the old database shows how far a repair came.
      closeSync(openSync(this.database, 'a', 0o600))
      for (const name of MOVED) move(this.path, aside, name)
      this.#syncBoth(aside)
      // A link fails if the name exists, where a rename would overwrite a file.
      linkSync(database, this.database)
      syncDirectory(this.path)
      return this.#finish(aside)
    } catch (error) {
      throw storageError(error, `replacing ${this.database}`)
    }
  }

  close(): void {
    this.#lock.release()
  }

  /** The folder's name begins with `required-`: every version refuses to start beside a file it does not know by that name. */
  #makeAside(nowMs: number): string {
    const time = new Date(nowMs).toISOString().replaceAll(/[-:]/g, '')
    const aside = join(this.path, `${REPAIRING_PREFIX}${time}`)
    mkdirSync(aside, { mode: 0o700 })
    syncDirectory(this.path)
    return aside
  }

  /** Completes or undoes interrupted repairs. Returns the folder of the damaged files if one was completed. */
  #resume(): string | undefined {
    for (const name of readdirSync(this.path).filter((entry) => entry.startsWith(REPAIRING_PREFIX))) {
      const aside = join(this.path, name)
      if (existsSync(this.database) && existsSync(join(aside, DATABASE))) return this.#finish(aside)
      this.#undo(aside)
    }
    return undefined
  }

  /** Moves all files back, in the reverse order, so that a second interruption leaves a state that this method can undo too. */
  #undo(aside: string): void {
    for (const name of MOVED.toReversed()) move(aside, this.path, name)
    // The empty file that stood for a deleted database.
    if (statSync(this.database).size === 0) rmSync(this.database)
    this.#syncBoth(aside)
    rmdirSync(aside)
    syncDirectory(this.path)
  }

  /** Takes the prefix off the folder's name. From here on a primary may start. */
  #finish(aside: string): string {
    const kept = join(this.path, basename(aside).slice(REQUIRED_PREFIX.length))
    renameSync(aside, kept)
    syncDirectory(this.path)
    return kept
  }

  /** A rename between two folders is durable only after both were synced. */
  #syncBoth(aside: string): void {
    syncDirectory(aside)
    syncDirectory(this.path)
  }
}

/** Moves a file if it exists and nothing has its name at the destination. */
function move(from: string, to: string, name: string): void {
  if (existsSync(join(from, name)) && !existsSync(join(to, name))) renameSync(join(from, name), join(to, name))
}

function sync(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
