/** The folder a restore works in, beside its output so that the last step is a rename; and that last step. */
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

const NODE_LOCK = 'node.lock'
const DATABASE = 'macaroond.db'
/** Beside the pages of a replica: the record of its positions, the newest signed one, and revocations ahead of the pages. */
const [POSITION, SIGNED, JOURNAL] = ['position', 'signed-position.json', 'revocations.journal']
/** What it refuses by of histories that were undone. */
export const DENIALS = 'denials'
const LOG = 'log'
/** The newest may hold no whole record after a crash. */
const LOG_FILES = 2

/** What a restore takes of the data folder of a stopped node. */
export interface NodeCopy {
  /** Everything lies in it under the names that the node gives. */
  readonly folder: string
  /** A repair copies what is left: it may not be there. */
  readonly database: string
  readonly role: 'primary' | 'replica'
  /** Revocations that a replica knows ahead of its pages; undefined where there is none. */
  readonly journal: Buffer | undefined
}

export class Scratch {
  readonly folder: string
  readonly #output: string
  readonly #lock: NodeLock | undefined
  /** As long as it is held, the folder belongs to a restore that lives. */
  readonly #own: NodeLock

  /**
   * `isHeld`: the caller has locked the folder, and what is there under the name gives way by itself. Throws database_exists,
   * already_running (a node uses the folder), io_failed.
   */
  constructor(output: string, { isHeld = false }: { readonly isHeld?: boolean } = {}) {
    this.#output = resolve(output)
    const folder = dirname(this.#output)
    const prefix = `.${basename(this.#output)}.restore-`
    sweep(folder, prefix)
    if (!isHeld) refuseExisting(this.#output)
    // Under this name a node would open it, or has it open.
    const isNodes = !isHeld && basename(this.#output) === DATABASE && existsSync(join(folder, NODE_LOCK))
    this.#lock = isNodes ? lockFolder(folder) : undefined
    try {
      this.folder = mkdtempSync(join(folder, prefix))
      this.#own = lockFolder(this.folder)
    } catch (error) {
      this.#lock?.release()
      throw storageError(error, `making a scratch folder in ${folder}`)
    }
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  /** Gives a finished database its name; never takes the place of anything. */
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
      // A name that may be gone after a crash is none: what failed leaves nothing.
      rmSync(this.#output, { force: true })
      throw error
    }
  }

  /**
   * Copies a stopped node's database, with its WAL and what it is compared with: the original is not touched. Throws
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

  /** The same of a folder that the caller has locked, whatever of it is there. Throws io_failed, disk_full. */
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

  /** What could not be deleted, in words: a copy of the database that nobody should leave about. */
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

/** Names of the newest files of the log, which sort like their first transactions. */
function newestOf(folder: string, log: string, count: number): readonly string[] {
  if (!existsSync(join(folder, log))) return []
  const files = readdirSync(join(folder, log)).filter((name) => name.endsWith('.segments'))
  return files
    .toSorted()
    .slice(-count)
    .map((name) => join(log, name))
}

/** Deletes what restores to the same output left when they were killed: copies of the database that nobody should leave about. */
function sweep(folder: string, prefix: string): void {
  const left = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith(prefix)) : []
  for (const path of left.map((name) => join(folder, name))) {
    try {
      lockFolder(path).release()
      rmSync(path, { recursive: true, force: true })
    } catch {
      // Another restore works in it, or it is not ours to delete: neither keeps this one from its work.
    }
  }
}

function refuseExisting(output: string): void {
  const found = ['', '-wal', '-shm', '-journal'].map((suffix) => output + suffix).find((path) => existsSync(path))
  if (found === undefined) return
  throw new MacaroondError('database_exists', `${found} exists`, {
    hint: 'a restore never overwrites: name another file, or move the old database with its -wal and -shm away',
  })
}
