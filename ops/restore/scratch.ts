/**
 * The scratch folder of a restore, and the last step that gives the result its name. The folder is beside the output, so that
 * this step is one link on the same file system. Until then the output does not exist.
 */
import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { MacaroondError } from '../../shared/errors.ts'
import { refuseUnknownRequired } from '../../shared/files/required-files.ts'
import { holdForCopy, lockFolder, type NodeLock } from '../../shared/sqlite/node-lock.ts'
import { syncDirectory } from '../../shared/files/positional-io.ts'
import { storageError } from '../../shared/files/storage-errors.ts'

/** Names of files in the data folder of a node. */
const NODE_LOCK = 'node.lock'
const DATABASE = 'macaroond.db'
/** Files of a replica: the record of its positions, the newest signed position, and the revocations ahead of its pages. */
const [POSITION, SIGNED, JOURNAL] = ['position', 'signed-position.json', 'revocations.journal']
/** File of a replica's denials: the revocations of undone histories that it still enforces. */
export const DENIALS = 'denials'
const LOG = 'log'
/** Two, because after a crash the newest file may contain no whole record. */
const LOG_FILES = 2

/** A restore's copy of the data folder of a stopped node. */
export interface NodeCopy {
  /** The files in it have the names that the node uses. */
  readonly folder: string
  /** Path of the copied database. In a repair the file may be missing. */
  readonly database: string
  readonly role: 'primary' | 'replica'
  /** The replica's journal, with revocations ahead of its pages; undefined if there is none. */
  readonly journal: Buffer | undefined
}

/** Makes the scratch folder, and locks it and the folder of the output if a node could open the output. */
export class Scratch {
  readonly folder: string
  readonly #output: string
  readonly #lock: NodeLock | undefined
  /** Lock of the scratch folder, which shows other restores that this one is running. */
  readonly #own: NodeLock

  /**
   * `isHeld` is true if the caller has locked the folder and moves an existing file away itself. Throws database_exists,
   * already_running (a node uses the folder), io_failed.
   */
  constructor(output: string, { isHeld = false }: { readonly isHeld?: boolean } = {}) {
    this.#output = resolve(output)
    const folder = dirname(this.#output)
    const prefix = `.${basename(this.#output)}.restore-`
    deleteAbandoned(folder, prefix)
    if (!isHeld) refuseExisting(this.#output)
    // A node opens a file of this name, so the folder must be locked against a start.
    const isNodeFolder = !isHeld && basename(this.#output) === DATABASE && existsSync(join(folder, NODE_LOCK))
    this.#lock = isNodeFolder ? lockFolder(folder) : undefined
    try {
      this.folder = mkdtempSync(join(folder, prefix))
      this.#own = lockFolder(this.folder)
    } catch (error) {
      this.#lock?.release()
      throw storageError(error, `making a scratch folder in ${folder}`)
    }
  }

  /** The path of a file in the scratch folder. */
  path(name: string): string {
    return join(this.folder, name)
  }

  /** Gives a finished database its name. Throws database_exists and never overwrites. */
  place(path: string): void {
    refuseExisting(this.#output)
    try {
      const fd = openSync(path, 'r')
      fsyncSync(fd)
      closeSync(fd)
      linkSync(path, this.#output)
    } catch (error) {
      throw storageError(error, `placing ${this.#output}`)
    }
    try {
      syncDirectory(dirname(this.#output))
    } catch (error) {
      // Without the fsync the name may be lost in a crash. A restore that failed leaves no file.
      rmSync(this.#output, { force: true })
      throw error
    }
  }

  /**
   * Copies a stopped node's database with its WAL and the files that it is compared with. The original is not changed. Throws
   * already_running, schema_newer.
   */
  copyNode(folder: string, name: string): NodeCopy {
    const source = join(folder, DATABASE)
    if (!existsSync(source)) {
      throw new MacaroondError('io_failed', `there is no ${DATABASE} in ${folder}`, {
        hint: 'name the `data` folder of a node',
      })
    }
    refuseUnknownRequired(folder)
    const lock = existsSync(join(folder, NODE_LOCK)) ? holdForCopy(folder) : undefined
    try {
      return this.copyHeld(folder, name, LOG_FILES)
    } finally {
      lock?.release()
    }
  }

  /** Copies a folder that the caller has locked. Missing files are skipped. Throws io_failed, disk_full. */
  copyHeld(folder: string, name: string, logFiles: number): NodeCopy {
    try {
      const own = this.path(name)
      mkdirSync(join(own, LOG), { recursive: true, mode: 0o700 })
      for (const file of [DATABASE, `${DATABASE}-wal`, POSITION, SIGNED, DENIALS, ...newestOf(folder, LOG, logFiles)])
        if (existsSync(join(folder, file))) copyFileSync(join(folder, file), join(own, file))
      const journal = join(folder, JOURNAL)
      const role = existsSync(join(folder, POSITION)) ? 'replica' : 'primary'
      const rows = existsSync(journal) ? readFileSync(journal) : undefined
      return { folder: own, database: join(own, DATABASE), role, journal: rows }
    } catch (error) {
      throw storageError(error, `copying ${join(folder, DATABASE)}`)
    }
  }

  /** Deletes the scratch folder. If that fails, returns a message, because the folder has a copy of the database. */
  close(): string | undefined {
    this.#lock?.release()
    this.#own.release()
    try {
      rmSync(this.folder, { recursive: true, force: true })
      return undefined
    } catch (error) {
      return `${storageError(error, 'deleting').message} the scratch folder ${this.folder}: delete it yourself`
    }
  }
}

/** The names of the newest files of the log. File names sort by their first transaction. */
function newestOf(folder: string, log: string, count: number): readonly string[] {
  if (!existsSync(join(folder, log))) return []
  const files = readdirSync(join(folder, log)).filter((name) => name.endsWith('.segments'))
  return files
    .toSorted()
    .slice(-count)
    .map((name) => join(log, name))
}

/** Deletes the scratch folders of killed restores to the same output, because they have copies of the database. */
function deleteAbandoned(folder: string, prefix: string): void {
  const left = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith(prefix)) : []
  for (const path of left.map((name) => join(folder, name))) {
    try {
      lockFolder(path).release()
      rmSync(path, { recursive: true, force: true })
    } catch {
      // Another restore uses the folder, or this user may not delete it. Neither prevents this restore.
    }
  }
}

/** SQLite would use a leftover -wal or -journal with the new database. Throws database_exists. */
function refuseExisting(output: string): void {
  const found = ['', '-wal', '-shm', '-journal'].map((suffix) => output + suffix).find((path) => existsSync(path))
  if (found === undefined) return
  throw new MacaroondError('database_exists', `${found} exists`, {
    hint: 'a restore never overwrites: name another file, or move the old database with its -wal and -shm away',
  })
}
