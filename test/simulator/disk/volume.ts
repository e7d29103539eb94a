/** The data folder of one process, and what survives a loss of power: everything synced, and a random part of the rest. */
import type fs from 'node:fs'
import { basename, join, relative } from 'node:path'
import type Sqlite from 'better-sqlite3'
import type { Random } from '../../chaos/random.ts'
import type { Life } from '../nodes/machine.ts'

/** Not synced yet: what stood there before, and what stands there now. */
interface Change {
  readonly at: number
  readonly before: Buffer
  readonly after: Buffer
  readonly sizeBefore: number
}

export interface OpenFile {
  readonly path: string
  readonly volume: Volume
  changes: Change[]
}

export type Step = 'open' | 'write' | 'truncate' | 'sync' | 'rename' | 'unlink'

/** What a process meets whose machine has just lost power; nobody hears of it any more. */
export class PowerLost extends Error {
  readonly code = 'EIO'
}

/** Also where the product has said it in its own words. */
export function isPowerLost(error: unknown): boolean {
  return error instanceof PowerLost || (error instanceof Error && isPowerLost(error.cause))
}

type Database = Pick<Sqlite.Database, 'open' | 'readonly' | 'name' | 'pragma' | 'close'>

type System = Pick<
  typeof fs,
  | 'openSync'
  | 'closeSync'
  | 'readSync'
  | 'writeSync'
  | 'fstatSync'
  | 'statSync'
  | 'ftruncateSync'
  | 'copyFileSync'
  | 'readdirSync'
  | 'mkdirSync'
  | 'readlinkSync'
  | 'symlinkSync'
>

const SYNCHRONOUS_FULL = 2
const SECTOR_BYTES = 512
const SYNC_MS = 1.5
const PAGES_MAX = 1_073_741_823
const volumes = new Map<string, Volume>()

/** Volumes are two folders below a common one: `<base>/<run>/<volume>/…`. */
export function volumeOf(path: string): Volume | undefined {
  for (const [folder, volume] of volumes) if (path.startsWith(folder)) return volume
  return undefined
}

export function fileOf(path: string): OpenFile | undefined {
  const volume = volumeOf(path)
  return volume === undefined || path.endsWith('-shm') || path.includes('/self-test-') ? undefined : volume.file(path)
}

export class Volume {
  static #system: System
  readonly folder: string
  readonly descriptors: Set<number> = new Set()
  readonly connections: Set<Database> = new Set()
  /** A disk that says it has synced, and has not: outside of every promise, but good to know of. */
  readonly lies = false
  /** Nothing of our own that would grow finds room. */
  full = false
  readonly #life: Life
  readonly #files = new Map<string, OpenFile>()
  #crashAfter: { steps: number; readonly crash: () => void } | undefined
  #lost = false

  constructor(folder: string, life: Life) {
    this.folder = `${folder}/`
    this.#life = life
    volumes.set(this.folder, this)
  }

  static useSystem(system: System): void {
    Volume.#system = system
  }

  /** Until what it returns is called; with `pages` the database cannot grow either. */
  fill(pages: boolean): () => void {
    this.full = true
    const writers = [...this.connections].filter(
      (one) => pages && one.open && !one.readonly && one.name.endsWith('.db'),
    )
    for (const writer of writers)
      writer.pragma(`max_page_count = ${String(writer.pragma('page_count', { simple: true }))}`)
    return () => {
      this.full = false
      for (const writer of writers) if (writer.open) writer.pragma(`max_page_count = ${PAGES_MAX}`)
    }
  }

  /** Throws ENOSPC. */
  requireRoom(file: OpenFile, position: number | undefined, bytes: number): void {
    const size = sizeOf(file.path)
    if (!this.full || (position ?? size) + bytes <= size) return
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  }

  file(path: string): OpenFile {
    let file = this.#files.get(path)
    if (file === undefined) this.#files.set(path, (file = { path, volume: this, changes: [] }))
    return file
  }

  /** Power goes at that call, counted from now; `crash` is called in the middle of it. */
  crashAfter(steps: number, crash: () => void): void {
    this.#crashAfter = { steps, crash }
  }

  step(_: Step): void {
    if (this.#lost) throw new PowerLost('the machine has lost power')
    const due = this.#crashAfter
    if (due === undefined) return
    due.steps -= 1
    if (due.steps > 0) return
    this.#lost = true
    due.crash()
    throw new PowerLost('the machine has lost power')
  }

  write(file: OpenFile, position: number | undefined, after: Buffer, write: () => number): number {
    const at = position ?? sizeOf(file.path)
    const sizeBefore = sizeOf(file.path)
    const before = readAt(file.path, at, after.length)
    // What stood there already cannot be lost.
    if (!before.equals(after))
      file.changes.push({ at, before: Buffer.from(before), after: Buffer.from(after), sizeBefore })
    // Told with the write under way: of it, too, any part may be there afterwards.
    const written = write()
    this.step('write')
    return written
  }

  truncating(file: OpenFile, length: number): void {
    const sizeBefore = sizeOf(file.path)
    if (sizeBefore <= length) return
    file.changes.push({
      at: length,
      before: Buffer.from(readAt(file.path, length, sizeBefore - length)),
      after: EMPTY,
      sizeBefore,
    })
  }

  created(file: OpenFile): void {
    this.#files.set(file.path, file)
  }

  synced(file: OpenFile): void {
    file.changes = []
  }

  /** What was written before the call is durable at its end; what came meanwhile need not be. */
  syncLater(file: OpenFile, done: (error: NodeJS.ErrnoException | null) => void): void {
    const covered = new Set(file.changes)
    const { scheduler, host } = this.#life
    scheduler.at(scheduler.nowMs + SYNC_MS * (0.5 + host.entropy.uniform()), this.#life, () => {
      try {
        this.step('sync')
      } catch {
        return
      }
      file.changes = file.changes.filter((change) => !covered.has(change))
      done(null)
    })
  }

  renamed(from: string, to: string): void {
    const file = this.#files.get(from)
    this.#files.delete(from)
    this.#files.delete(to)
    if (file !== undefined) this.#files.set(to, Object.assign(file, { path: to }))
  }

  /** Both names are of what was written, and of what was not synced. */
  linked(from: string, to: string): void {
    const file = this.#files.get(from)
    if (file !== undefined) this.#files.set(to, { ...file, path: to, changes: [...file.changes] })
  }

  removed(path: string): void {
    for (const name of this.#files.keys()) if (name === path || name.startsWith(`${path}/`)) this.#files.delete(name)
  }

  async pause(): Promise<void> {
    const { scheduler } = this.#life
    await new Promise<void>((resolve) => scheduler.at(scheduler.nowMs + SYNC_MS / 3, this.#life, resolve))
  }

  /** All bytes that were written, as after the end of a process: the kernel has them. */
  copyTo(target: string): void {
    copyFolder(this.folder, target)
  }

  /** What a disk has after a loss of power. Returns how many writes are gone, in whole or in part. */
  survivors(target: string, random: Random): number {
    copyFolder(this.folder, target)
    const kept = [0, 0.5, 0.9, 1][random.below(4)] ?? 0
    let lost = 0
    for (const file of this.#files.values()) {
      if (file.changes.length === 0) continue
      const copy = join(target, relative(this.folder, file.path))
      lost += lose(copy, file.changes, (change) => tear(change, kept, random))
    }
    for (const database of this.connections) {
      if (isUnsynced(database)) lost += cutTail(join(target, relative(this.folder, `${database.name}-wal`)), random)
    }
    return lost
  }

  /** The process is over: what it held open is closed. */
  close(): void {
    volumes.delete(this.folder)
    for (const connection of this.connections) if (connection.open) connection.close()
    for (const fd of this.descriptors) Volume.#system.closeSync(fd)
  }

  static get system(): System {
    return Volume.#system
  }
}

const EMPTY = Buffer.alloc(0)

function sizeOf(path: string): number {
  return Volume.system.statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

let scratch = Buffer.alloc(2 * 1024 * 1024)

/**
 * Good until the next call. Never of a database or its -shm: closing any descriptor of those would drop SQLite's locks. Only
 * files of our own come here.
 */
function readAt(path: string, at: number, length: number): Buffer {
  if (length > scratch.length) scratch = Buffer.alloc(length)
  const fd = Volume.system.openSync(path, 'r')
  const read = Volume.system.readSync(fd, scratch, 0, length, at)
  Volume.system.closeSync(fd)
  return scratch.subarray(0, read)
}

/** How much of a write is on the disk: a number of its sectors, from its beginning. */
function tear({ after }: Change, kept: number, random: Random): number {
  const chance = random.fraction()
  if (chance < kept) return after.length
  if (chance > kept + (1 - kept) * 0.3) return 0
  return Math.min(after.length, random.below(Math.ceil(after.length / SECTOR_BYTES)) * SECTOR_BYTES)
}

/** Takes all changes back, the last one first, then makes again what chance has kept of each. */
function lose(path: string, changes: readonly Change[], partKept: (change: Change) => number): number {
  const { system } = Volume
  if (system.statSync(path, { throwIfNoEntry: false }) === undefined) return 0
  // Shorter than what was written to it last: SQLite emptied the file, and had synced it before that.
  const end = changes.at(-1)
  if (end !== undefined && sizeOf(path) < end.at + end.after.length) return 0
  const fd = system.openSync(path, 'r+')
  let lost = 0
  for (const { at, before, sizeBefore } of changes.toReversed()) {
    system.ftruncateSync(fd, Math.max(sizeBefore, at))
    if (before.length > 0) system.writeSync(fd, before, 0, before.length, at)
    system.ftruncateSync(fd, sizeBefore)
  }
  for (const change of changes) {
    const length = partKept(change)
    if (change.after.length === 0) system.ftruncateSync(fd, change.at)
    if (length < change.after.length) lost += 1
    if (length > 0) system.writeSync(fd, change.after, 0, length, change.at)
  }
  system.closeSync(fd)
  return lost
}

/** SQLite's own writes are not seen here, but it says whether a commit waits for the disk. */
function isUnsynced(database: Database): boolean {
  return (
    database.open && !database.readonly && Number(database.pragma('synchronous', { simple: true })) < SYNCHRONOUS_FULL
  )
}

function cutTail(path: string, random: Random): number {
  const size = sizeOf(path)
  if (size === 0) return 0
  const fd = Volume.system.openSync(path, 'r+')
  Volume.system.ftruncateSync(fd, random.below(size))
  Volume.system.closeSync(fd)
  return 1
}

/** Without what is only for processes: locks and shared memory. */
function copyFolder(from: string, to: string): void {
  const { system } = Volume
  system.mkdirSync(to, { recursive: true, mode: 0o700 })
  for (const entry of system.readdirSync(from, { withFileTypes: true })) {
    const name = basename(entry.name)
    if (name.startsWith('node.lock') || name.endsWith('-shm') || name.startsWith('self-test-')) continue
    // An archive that two machines share lies elsewhere.
    if (entry.isSymbolicLink()) system.symlinkSync(system.readlinkSync(join(from, name)), join(to, name))
    else if (entry.isDirectory()) copyFolder(join(from, name), join(to, name))
    else system.copyFileSync(join(from, name), join(to, name))
  }
}
