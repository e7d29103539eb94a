/**
 * Loaded before a node (`node --import`): wraps the calls with which it changes its files and SQLite its database, and ends
 * the process with SIGKILL at the ordered call: before it, after it, in the middle of it, or with half of it done.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import { Worker } from 'node:worker_threads'
import Sqlite from 'better-sqlite3'
import { POINT_NAMES, type KillOrder, type DeathRecord, type Moment, type PointName } from './points.ts'
import { sitesOf, type FileCall } from './sites.ts'
import { INSIDE, TYPICAL_US, type KillerOrder } from './words.ts'

const { CHAOS_KILL_AT, CHAOS_ROLE } = process.env
const order = JSON.parse(CHAOS_KILL_AT ?? '{}') as KillOrder
const { target, record, folder, word } = order
const sites = sitesOf(CHAOS_ROLE === 'replica' ? 'replica' : 'primary', folder)

// The plain functions: what this file itself does is no point.
const { openSync, closeSync, writeSync, fdatasync, fdatasyncSync, fsyncSync, ftruncateSync, renameSync, unlinkSync } =
  fs
const recordFd = openSync(record, 'w')
const wordFd = word === undefined ? undefined : openSync(word, 'w')
const wordBytes = Buffer.alloc(1)
const paths = new Map<number, string>()
const calls = new Map<PointName, number>()
let incoming = false
let logged = false
let checkpointed = false

function deathRecord(point: PointName, moment: Moment): string {
  return JSON.stringify({ point, moment, calls: calls.get(point) ?? 0 } satisfies DeathRecord)
}

function die(point: PointName, moment: Moment): void {
  writeSync(recordFd, deathRecord(point, moment), 0)
  process.kill(process.pid, 'SIGKILL')
  // The signal ends the process on the way back from that call; this is never reached.
  for (;;);
}

function say(point: PointName | undefined): void {
  if (wordFd === undefined) return
  wordBytes[0] = point === undefined ? 0 : POINT_NAMES.indexOf(point) + 1
  writeSync(wordFd, wordBytes, 0, 1, 0)
}

const shared = new SharedArrayBuffer(8)
const words = new Int32Array(shared)

function startKiller(point: PointName): void {
  if (target === undefined || words[TYPICAL_US] === 0) return
  const workerData: KillerOrder = { shared, recordFd, record: deathRecord(point, 'inside'), share: target.share }
  // Without the arguments of this process: the thread must not load this file again.
  new Worker(new URL('killer-thread.ts', import.meta.url), { workerData, execArgv: [] }).unref()
}

function exposed<T>(work: () => T): T {
  const startedNs = process.hrtime.bigint()
  Atomics.store(words, INSIDE, 1)
  Atomics.notify(words, INSIDE)
  try {
    return work()
  } finally {
    Atomics.store(words, INSIDE, 0)
    const tookUs = Number((process.hrtime.bigint() - startedNs) / 1000n)
    const typicalUs = words[TYPICAL_US] ?? 0
    words[TYPICAL_US] = Math.max(1, typicalUs === 0 ? tookUs : Math.round((typicalUs * 3 + tookUs) / 4))
  }
}

/** Runs `work` as the next call of this point. `half` does a part of it, for those that can be torn. */
function at<T>(point: PointName | undefined, work: () => T, half?: () => void): T {
  if (point === undefined) return work()
  const count = calls.get(point) ?? 0
  calls.set(point, count + 1)
  say(point)
  try {
    if (target?.point !== point) return work()
    const { moment, skip } = target
    if (moment === 'inside') {
      // One is measured first, so that the thread knows how long they take.
      if (count === Math.max(1, skip)) startKiller(point)
      return exposed(work)
    }
    if (count !== skip) return work()
    if (moment === 'before') die(point, moment)
    if (moment === 'partial') half?.()
    const result = moment === 'partial' ? undefined : work()
    die(point, moment)
    return result as T
  } finally {
    say(undefined)
  }
}

function pointOf(call: FileCall, path: string | undefined): PointName | undefined {
  if (path === undefined) return undefined
  const point = sites.file(call, path)
  // The same appending, but of a whole snapshot.
  return incoming && (point === 'wal write' || point === 'index write') ? 'snapshot append' : point
}

const ZEROS = Buffer.alloc(8)

function isZeros(data: Uint8Array, from: number): boolean {
  return ZEROS.equals(data.subarray(from, from + ZEROS.length))
}

const shareOfWrite = target?.share ?? 0.5

const wrapped = {
  openSync: (path: fs.PathLike, flags: fs.OpenMode = 'r', mode?: fs.Mode): number => {
    const name = String(path)
    const mayCreate = typeof flags === 'number' ? (flags & fs.constants.O_CREAT) !== 0 : flags.startsWith('a')
    const creates = mayCreate && !fs.existsSync(name)
    const fd = at(creates ? pointOf('create', name) : undefined, () => openSync(path, flags, mode))
    paths.set(fd, name)
    incoming ||= name.endsWith('/snapshot.incoming')
    return fd
  },
  closeSync: (fd: number): void => {
    if (paths.get(fd)?.endsWith('/snapshot.incoming') === true) incoming = false
    paths.delete(fd)
    closeSync(fd)
  },
  writeSync: (
    fd: number,
    data: Uint8Array | string,
    start?: number | null,
    length?: unknown,
    position?: number,
  ): number => {
    if (typeof data === 'string') return writeSync(fd, data, start)
    const from = start ?? 0
    const all = typeof length === 'number' ? length : data.byteLength - from
    const point = pointOf(isZeros(data, from) ? 'wipe' : 'write', paths.get(fd))
    const some = Math.max(1, Math.floor(all * shareOfWrite))
    const written = at(
      point,
      () => writeSync(fd, data, from, all, position),
      () => void writeSync(fd, data, from, some, position),
    )
    logged ||= point === 'log write'
    return written
  },
  fdatasyncSync: (fd: number): void => at(pointOf('sync', paths.get(fd)), () => fdatasyncSync(fd)),
  // In the background: the call itself, and the moment when it has returned.
  fdatasync: (fd: number, done: fs.NoParamCallback): void => {
    const point = pointOf('sync', paths.get(fd))
    if (point === undefined || target?.point !== point) return fdatasync(fd, done)
    const isBefore = target.moment === 'before'
    if (isBefore) return at(point, () => fdatasync(fd, done))
    fdatasync(fd, (error) => at(point, () => done(error)))
  },
  fsyncSync: (fd: number): void => at(pointOf('sync', paths.get(fd)), () => fsyncSync(fd)),
  ftruncateSync: (fd: number, length?: number): void =>
    at(pointOf('truncate', paths.get(fd)), () => ftruncateSync(fd, length)),
  unlinkSync: (path: fs.PathLike): void => at(pointOf('unlink', String(path)), () => unlinkSync(path)),
  renameSync: (from: fs.PathLike, to: fs.PathLike): void => {
    at(pointOf('rename', String(from)), () => renameSync(from, to))
    // A descriptor goes by the name that its file has now: the record of positions is rewritten beside and renamed.
    for (const [fd, path] of paths) if (path === String(from)) paths.set(fd, String(to))
  },
}
Object.assign(fs, wrapped)

const renameInBackground = fs.promises.rename
Object.assign(fs.promises, {
  rename: async (from: fs.PathLike, to: fs.PathLike): Promise<void> => {
    const point = pointOf('rename', String(from))
    if (target?.moment === 'before') return at(point, () => renameInBackground(from, to))
    await renameInBackground(from, to)
    at(point, () => undefined)
  },
})
syncBuiltinESMExports()

// What is sent first after the log was written: the segment to a replica, or the answer to a signer.
type SocketWrite = (this: net.Socket, ...args: unknown[]) => boolean
const socketWrite = Reflect.get(net.Socket.prototype, 'write') as SocketWrite
net.Socket.prototype.write = function write(this: net.Socket, ...args: unknown[]): boolean {
  const point = logged ? 'log send' : undefined
  logged = false
  return at(point, () => socketWrite.apply(this, args))
}

type Pragma = (this: Sqlite.Database, source: string, options?: Sqlite.PragmaOptions) => unknown
const pragma: Pragma = Reflect.get(Sqlite.prototype, 'pragma')
Sqlite.prototype.pragma = function run(this: Sqlite.Database, source: string, options?: Sqlite.PragmaOptions): unknown {
  const point = sites.statement(this.name, source)
  const result = at(point, () => pragma.call(this, source, options))
  checkpointed ||= point === 'primary passive'
  return result
}

const scratch = new Sqlite(':memory:')
const statement = Object.getPrototypeOf(scratch.prepare('SELECT 1')) as Sqlite.Statement
scratch.close()
type Run = (this: Sqlite.Statement, ...args: unknown[]) => Sqlite.RunResult
const runStatement: Run = Reflect.get(statement, 'run')
statement.run = function run(this: Sqlite.Statement, ...args: unknown[]): Sqlite.RunResult {
  const point = sites.statement(this.database.name, this.source)
  const restarts = point === 'sqlite commit' && checkpointed
  if (restarts) checkpointed = false
  return at(restarts ? 'sqlite restart' : point, () => runStatement.apply(this, args))
}
