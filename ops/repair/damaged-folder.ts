/**
 * The data folder of a primary that does not start any more. What a repair replaces is kept in a folder of its own, complete,
 * so that it is the data folder of an old primary: nothing is ever overwritten or deleted.
 *
 * While files are moved that folder is named `required-damaged-…`, and no node starts beside it. A repair that finds one goes
 * on where the last was interrupted: with the new database in its place it is finished, else everything is moved back first.
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
/** In the order in which they are moved: the database comes last, so where it is says how far a repair came. */
const MOVED = ['log', 'audit-checked.json', `${DATABASE}-shm`, `${DATABASE}-wal`, DATABASE] as const

export class DamagedFolder {
  readonly path: string
  /** The damaged files of an interrupted repair that had nothing left to do but its last step, which is done now. */
  readonly finished: string | undefined
  readonly #lock: NodeLock

  private constructor(path: string, lock: NodeLock) {
    this.path = path
    this.#lock = lock
    this.finished = this.#goOn()
  }

  /** Throws already_running, schema_newer, io_failed. */
  static open(path: string): DamagedFolder {
    if (!existsSync(path)) {
      throw new MacaroondError('io_failed', `there is no data folder ${path}`, {
        hint: 'check `data` in the configuration; a database that is gone as a whole is restored: `macaroond restore`',
      })
    }
    const lock = lockForRepair(path)
    try {
      return new DamagedFolder(path, lock)
    } catch (error) {
      lock.release()
      throw storageError(error, `going on with the repair of ${path}`)
    }
  }

  get database(): string {
    return join(this.path, DATABASE)
  }

  /** Puts what is there aside, and a finished database into its place; where everything lies that was there. */
  replace(database: string, nowMs: number): string {
    try {
      sync(database)
      const aside = this.#makeAside(nowMs)
      // An empty one stands for one that was deleted, because where the old database lies says how far this came.
      closeSync(openSync(this.database, 'a', 0o600))
      for (const name of MOVED) move(this.path, aside, name)
      this.#syncBoth(aside)
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

  #makeAside(nowMs: number): string {
    const time = new Date(nowMs).toISOString().replaceAll(/[-:]/g, '')
    const aside = join(this.path, `${REPAIRING_PREFIX}${time}`)
    mkdirSync(aside, { mode: 0o700 })
    syncDirectory(this.path)
    return aside
  }

  #goOn(): string | undefined {
    for (const name of readdirSync(this.path).filter((entry) => entry.startsWith(REPAIRING_PREFIX))) {
      const aside = join(this.path, name)
      if (existsSync(this.database) && existsSync(join(aside, DATABASE))) return this.#finish(aside)
      this.#undo(aside)
    }
    return undefined
  }

  #undo(aside: string): void {
    for (const name of MOVED.toReversed()) move(aside, this.path, name)
    if (statSync(this.database).size === 0) rmSync(this.database)
    this.#syncBoth(aside)
    rmdirSync(aside)
    syncDirectory(this.path)
  }

  #finish(aside: string): string {
    const kept = join(this.path, basename(aside).slice(REQUIRED_PREFIX.length))
    renameSync(aside, kept)
    syncDirectory(this.path)
    return kept
  }

  #syncBoth(aside: string): void {
    syncDirectory(aside)
    syncDirectory(this.path)
  }
}

/** Never takes the place of anything. */
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
