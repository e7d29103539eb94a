/**
 * An archive in a directory. A file is written under a temporary name, and gets its own name by rename or link once it is
 * complete and synced. Its mtime is its timestamp, because litestream picks files for a point in time by mtime. A crash leaves
 * files that begin with `.tmp-`, which the next writer deletes.
 */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import { access, link, mkdir, open, readdir, rename, rm, stat, unlink, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Entropy, systemEntropy } from '../clock.ts'
import { MacaroondError } from '../errors.ts'
import { storageError } from '../files/storage-errors.ts'
import { shown } from '../shown.ts'
import type { ArchiveStorage, ByteRange, Content, StoredObject } from './storage.ts'

const TEMPORARY = '.tmp-'
const WRITE_BYTES = 1024 * 1024
const WRITER_BYTES = 6

export interface DirectoryOptions {
  readonly create?: boolean
  /**
   * True to read whole objects synchronously, in a program or a thread that does nothing else. An asynchronous read makes four
   * calls, and each waits for the thread pool, so a small file takes ten times as long.
   */
  readonly blocking?: boolean
  /** Source of the names of temporary files. */
  readonly entropy?: Pick<Entropy, 'bytes'>
}

export class DirectoryStorage implements ArchiveStorage {
  readonly location: string
  readonly isBucket = false
  readonly #blocking: boolean
  /**
   * Random part of temporary names: two primaries may write to one folder, and in containers they may have the same process id.
   */
  readonly #writer: string
  /** Device and inode of the folder. They change if a volume is mounted there or unmounted. */
  readonly #identity: string
  /** Folders that exist, so that each is created and synced only once. */
  readonly #knownFolders = new Set<string>()
  /** Syncs that have not begun yet. Such a sync serves every caller that asks for one before it begins. */
  readonly #syncs = new Map<string, Promise<void>>()
  #temporaries = 0

  private constructor(location: string, stats: Stats, { blocking = false, entropy = systemEntropy }: DirectoryOptions) {
    this.location = location
    this.#identity = identityOf(stats)
    this.#blocking = blocking
    this.#writer = Buffer.from(entropy.bytes(WRITER_BYTES)).toString('hex')
  }

  /** Throws archive_missing if there is no such directory and `create` is not set. */
  static async open(path: string, options: DirectoryOptions = {}): Promise<DirectoryStorage> {
    try {
      if (options.create === true) await mkdir(path, { recursive: true, mode: 0o700 })
      const stats = await stat(path)
      if (!stats.isDirectory()) throw noDirectory(path, 'it is not a directory')
      await access(path, constants.R_OK | constants.X_OK)
      return new DirectoryStorage(path, stats, options)
    } catch (error) {
      throw errnoOf(error) === 'ENOENT'
        ? noDirectory(path, 'it does not exist')
        : failure(error, `opening ${shown(path)}`)
    }
  }

  async list(prefix: string): Promise<readonly StoredObject[]> {
    // A prefix is a folder, and after its last `/` the beginning of a name.
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    const found: StoredObject[] = []
    await this.#walk(folder, found)
    return found.filter(({ key }) => key.startsWith(prefix)).toSorted((a, b) => (a.key < b.key ? -1 : 1))
  }

  async get(key: string, range?: ByteRange, into?: Buffer): Promise<Buffer | undefined> {
    try {
      return this.#blocking && range === undefined
        ? readBlocking(this.#path(key))
        : await read(this.#path(key), range, into)
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined
      throw failure(error, `reading ${key}`)
    }
  }

  async put(key: string, content: Content, timestampMs: number): Promise<void> {
    await this.#write(key, content, timestampMs, (temporary, path) => rename(temporary, path))
  }

  async create(key: string, bytes: Uint8Array, timestampMs?: number): Promise<boolean> {
    try {
      await this.#write(key, bytes, timestampMs, async (temporary, path) => {
        await link(temporary, path)
        await unlink(temporary)
      })
      return true
    } catch (error) {
      if (error instanceof MacaroondError && errnoOf(error.cause) === 'EEXIST') return false
      throw error
    }
  }

  async delete(key: string): Promise<void> {
    try {
      await this.#requireSame()
      await rm(this.#path(key), { force: true })
    } catch (error) {
      throw failure(error, `deleting ${key}`)
    }
  }

  async sweep(): Promise<void> {
    const names = await readdir(this.location, { recursive: true })
    for (const name of names) if (name.includes(TEMPORARY)) await rm(join(this.location, name), { force: true })
  }

  #path(key: string): string {
    // `join` would be slower, and keys have no dots that it could resolve.
    return `${this.location}/${key}`
  }

  async #walk(folder: string, found: StoredObject[]): Promise<void> {
    const entries = await readdir(this.#path(folder), { withFileTypes: true }).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return []
      throw failure(error, `listing ${folder}`)
    })
    for (const entry of entries) {
      const key = `${folder}${entry.name}`
      if (entry.isDirectory()) await this.#walk(`${key}/`, found)
      else if (!entry.name.startsWith(TEMPORARY)) await this.#addFile(key, found)
    }
  }

  /** Adds a file to the list, unless it was deleted meanwhile. */
  async #addFile(key: string, found: StoredObject[]): Promise<void> {
    const stats = await stat(this.#path(key)).catch(() => undefined)
    if (stats !== undefined) found.push({ key, bytes: stats.size, timestampMs: Math.round(stats.mtimeMs) })
  }

  async #write(
    key: string,
    content: Content,
    timestampMs: number | undefined,
    moveIntoPlace: (temporary: string, path: string) => Promise<void>,
  ): Promise<void> {
    const path = this.#path(key)
    const folder = dirname(path)
    const temporary = join(folder, `${TEMPORARY}${this.#writer}-${(this.#temporaries += 1)}`)
    try {
      await this.#requireSame()
      await this.#makeFolder(folder)
      await writeFile(temporary, content, timestampMs)
      await moveIntoPlace(temporary, path)
      await this.#sync(folder)
    } catch (error) {
      // The folder may have been removed. Forgetting it makes the next attempt create it again.
      this.#knownFolders.delete(folder)
      await rm(temporary, { force: true }).catch(() => undefined)
      throw failure(error, `writing ${key}`)
    }
  }

  /** Throws archive_missing if the folder was replaced, so that nothing is written to a mount point without its volume. */
  async #requireSame(): Promise<void> {
    const stats = await stat(this.location).catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error
    })
    if (stats !== undefined && identityOf(stats) === this.#identity) return
    throw noDirectory(this.location, 'another folder is in its place now, for example because its volume was unmounted')
  }

  async #makeFolder(folder: string): Promise<void> {
    if (this.#knownFolders.has(folder)) return
    const first = await mkdir(folder, { recursive: true, mode: 0o700 })
    if (first !== undefined) {
      for (let made = folder; made.length >= first.length; made = dirname(made)) await this.#sync(dirname(made))
    }
    this.#knownFolders.add(folder)
  }

  #sync(folder: string): Promise<void> {
    const waiting = this.#syncs.get(folder)
    if (waiting !== undefined) return waiting
    const sync = syncFolder(folder, () => this.#syncs.delete(folder))
    this.#syncs.set(folder, sync)
    return sync
  }
}

function identityOf({ dev, ino }: Stats): string {
  return `${dev}.${ino}`
}

/** Syncs a folder. It calls `begins` just before the sync, which may lack every file that is renamed later. */
async function syncFolder(folder: string, begins: () => void): Promise<void> {
  const handle = await open(folder, 'r')
  begins()
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function writeFile(path: string, content: Content, timestampMs: number | undefined): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    if (content instanceof Uint8Array) await writeAll(file, content)
    else for await (const piece of content.pieces()) await writeAll(file, piece)
    if (timestampMs !== undefined) await file.utimes(timestampMs / 1000, timestampMs / 1000)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, at, Math.min(WRITE_BYTES, bytes.length - at))
    at += bytesWritten
  }
}

async function read(path: string, range: ByteRange | undefined, into: Buffer | undefined): Promise<Buffer> {
  const file = await open(path, READ_FLAGS)
  try {
    const stats = await file.stat()
    requireFile(stats, path)
    return await readRange(file, range ?? { start: 0, length: stats.size }, into)
  } finally {
    await file.close()
  }
}

/** O_NONBLOCK, because opening a FIFO would otherwise wait for a writer, and could keep the process from ending. */
const READ_FLAGS: number = constants.O_RDONLY | constants.O_NONBLOCK

function requireFile(stats: Stats, path: string): void {
  if (stats.isFile() || stats.isDirectory()) return
  throw new MacaroondError('archive_damaged', `${path} is not a regular file`, {
    hint: 'a FIFO or a device is in the place of an object: move it away, and find out which program put it there',
  })
}

function readBlocking(path: string): Buffer {
  const fd = openSync(path, READ_FLAGS)
  try {
    const stats = fstatSync(fd)
    requireFile(stats, path)
    const bytes = allocate(stats.size)
    let filled = 0
    for (let read = -1; read !== 0 && filled < bytes.length; filled += read)
      read = readSync(fd, bytes, filled, bytes.length - filled, filled)
    return bytes.subarray(0, filled)
  } finally {
    closeSync(fd)
  }
}

const SLAB_BYTES: number = 1024 * 1024
const SLAB_SHARE = 16
let slab: Buffer = Buffer.alloc(0)
let slabUsed = 0

/** Allocates small buffers from a slab, because allocating a buffer takes longer than reading a small file. */
function allocate(bytes: number): Buffer {
  if (bytes > SLAB_BYTES / SLAB_SHARE) return Buffer.allocUnsafeSlow(bytes)
  if (slabUsed + bytes > slab.length) [slab, slabUsed] = [Buffer.allocUnsafeSlow(SLAB_BYTES), 0]
  slabUsed += bytes
  return slab.subarray(slabUsed - bytes, slabUsed)
}

async function readRange(file: FileHandle, { start, length }: ByteRange, into?: Buffer): Promise<Buffer> {
  const bytes = into ?? Buffer.allocUnsafe(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, start + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return bytes.subarray(0, filled)
}

function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

function failure(error: unknown, doing: string): MacaroondError {
  const code = errnoOf(error)
  if (code !== 'EACCES' && code !== 'EPERM' && code !== 'EROFS') return unavailable(storageError(error, doing))
  return new MacaroondError('archive_denied', `${code} while ${doing}`, {
    hint: 'this user must be able to read the directory of the archive, and on the primary to write to it',
    cause: error,
  })
}

/** Turns io_failed into archive_unavailable, because io_failed means the node's own disk. */
function unavailable(error: MacaroondError): MacaroondError {
  if (error.code !== 'io_failed') return error
  const { message, hint, cause } = error
  return new MacaroondError('archive_unavailable', message, { ...(hint === undefined ? {} : { hint }), cause })
}

function noDirectory(path: string, why: string): MacaroondError {
  return new MacaroondError('archive_missing', `there is no archive at ${shown(path)}: ${why}`, {
    hint: 'give the folder that the primary archives to ([archive] in its configuration); it contains a folder `ltx`',
  })
}
