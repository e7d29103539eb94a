/**
 * Loaded before the product (`node --import`): what nodes do to files is seen on its way to the system, so that a simulation
 * knows what was synced, can lose the rest, and can lose power between any two calls. The program itself has no switch for
 * it. SQLite's own reads and writes do not pass here.
 */
import fs from 'node:fs'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import { promisify } from 'node:util'
import type Sqlite from 'better-sqlite3'
import { fileOf, type OpenFile, Volume, volumeOf } from './volume.ts'

const system = { ...fs }
const systemPromises = { ...fs.promises }
const open = new Map<number, OpenFile>()

function opened(fd: number, path: fs.PathLike, flags: fs.OpenMode | undefined): number {
  const file = fileOf(String(path))
  if (file === undefined) return fd
  open.set(fd, file)
  file.volume.descriptors.add(fd)
  if (typeof flags === 'string' && flags.startsWith('w')) file.volume.created(file)
  return fd
}

fs.openSync = (path, flags, mode) => {
  const file = fileOf(String(path))
  file?.volume.step('open')
  if (typeof flags === 'string' && flags.startsWith('w')) file?.volume.truncating(file, 0)
  return opened(system.openSync(path, flags, mode), path, flags)
}

fs.closeSync = (fd) => {
  open.get(fd)?.volume.descriptors.delete(fd)
  open.delete(fd)
  system.closeSync(fd)
}

fs.writeSync = ((
  fd: number,
  data: NodeJS.ArrayBufferView | string,
  ...rest: readonly (number | null | undefined)[]
) => {
  const file = open.get(fd)
  const write = (): number => Reflect.apply(system.writeSync, fs, [fd, data, ...rest])
  if (file === undefined) return write()
  const [start = 0, length, position] = typeof data === 'string' ? [0, undefined, undefined] : rest
  const bytes =
    typeof data === 'string'
      ? Buffer.from(data)
      : Buffer.from(data.buffer, data.byteOffset, data.byteLength).subarray(
          start ?? 0,
          (start ?? 0) + (length ?? data.byteLength),
        )
  file.volume.requireRoom(file, position ?? undefined, bytes.length)
  return file.volume.write(file, position ?? undefined, bytes, write)
}) as typeof fs.writeSync

const { statfsSync } = fs
fs.statfsSync = ((path: fs.PathLike) => {
  const found = statfsSync(path)
  if (volumeOf(`${String(path)}/`)?.full === true) found.bavail = 0
  return found
}) as typeof fs.statfsSync

fs.ftruncateSync = (fd, length) => {
  const file = open.get(fd)
  file?.volume.step('truncate')
  file?.volume.truncating(file, length ?? 0)
  system.ftruncateSync(fd, length)
}

function syncing(fd: number, sync: () => void): void {
  const file = open.get(fd)
  file?.volume.step('sync')
  if (file === undefined || file.volume.lies) return
  sync()
  file.volume.synced(file)
}

fs.fsyncSync = (fd) => syncing(fd, () => undefined)
fs.fdatasyncSync = (fd) => syncing(fd, () => undefined)

fs.fdatasync = ((fd: number, done: (error: NodeJS.ErrnoException | null) => void) => {
  const file = open.get(fd)
  if (file === undefined) return system.fdatasync(fd, done)
  file.volume.syncLater(file, done)
}) as typeof fs.fdatasync

fs.renameSync = (from, to) => {
  const file = fileOf(String(from))
  file?.volume.step('rename')
  system.renameSync(from, to)
  file?.volume.renamed(String(from), String(to))
}

fs.unlinkSync = (path) => {
  fileOf(String(path))?.volume.step('unlink')
  system.unlinkSync(path)
}

fs.linkSync = (from, to) => {
  const file = fileOf(String(from))
  file?.volume.step('rename')
  system.linkSync(from, to)
  file?.volume.linked(String(from), String(to))
}

fs.rmSync = (path, options) => {
  system.rmSync(path, options)
  volumeOf(String(path))?.removed(String(path))
}

/** The pool of threads would write, in an order that is nobody's. The product asks for the promise only. */
const writeLater = async (fd: number, data: Buffer, start: number, length: number, position: number) => {
  const volume = open.get(fd)?.volume
  if (volume === undefined) return systemWrite(fd, data, start, length, position)
  await volume.pause()
  return { bytesWritten: fs.writeSync(fd, data, start, length, position), buffer: data }
}
const systemWrite = promisify(system.write)
const write = ((...args: Parameters<typeof system.write>) => system.write(...args)) as typeof fs.write
Object.defineProperty(write, promisify.custom, { value: writeLater })
fs.write = write

/** In one piece. */
fs.createReadStream = ((path: fs.PathLike, options?: BufferEncoding) => {
  const volume = volumeOf(String(path))
  if (volume === undefined) return system.createReadStream(path, options)
  const pieces = async function* (): AsyncGenerator<Buffer> {
    await volume.pause()
    volume.step('open')
    yield system.readFileSync(path)
  }
  return pieces()
}) as unknown as typeof fs.createReadStream

/** What of a file handle the product asks for; a call that waits for the disk lets time pass, the others do not. */
function handleOf(fd: number, volume: Volume) {
  const waiting = async <T>(work: () => T): Promise<T> => {
    await volume.pause()
    return work()
  }
  const close = async (): Promise<void> => fs.closeSync(fd)
  return {
    writeFile: (text: string) => waiting(() => void fs.writeSync(fd, text)),
    write: (data: Uint8Array, start: number, length: number) =>
      waiting(() => ({ bytesWritten: fs.writeSync(fd, data, start, length), buffer: data })),
    read: async (data: Uint8Array, start: number, length: number, position: number) => ({
      bytesRead: system.readSync(fd, data, start, length, position),
      buffer: data,
    }),
    stat: async () => system.fstatSync(fd),
    utimes: async (atime: number, mtime: number) => system.futimesSync(fd, atime, mtime),
    datasync: () => waiting(() => fs.fdatasyncSync(fd)),
    sync: () => waiting(() => fs.fsyncSync(fd)),
    close,
    [Symbol.asyncDispose]: close,
  }
}

fs.promises.open = (async (path: fs.PathLike, flags?: string, mode?: fs.Mode) => {
  const volume = volumeOf(String(path))
  if (volume === undefined) return systemPromises.open(path, flags, mode)
  await volume.pause()
  return handleOf(fs.openSync(path, flags ?? 'r', mode), volume)
}) as unknown as typeof fs.promises.open

/** On a volume as the synchronous call of that name, a moment later. */
function later<A extends readonly [fs.PathLike, ...(readonly unknown[])], R>(
  original: (...args: A) => Promise<R>,
  work: (...args: A) => R,
): (...args: A) => Promise<R> {
  return async (...args) => {
    const volume = volumeOf(String(args[0]))
    if (volume === undefined) return original(...args)
    await volume.pause()
    return work(...args)
  }
}

type Named = fs.Dirent | string
const nameOf = (entry: Named): string => (typeof entry === 'string' ? entry : entry.name)
/** The order in which a file system lists is its own. */
const listing = (path: fs.PathLike, options: object): readonly Named[] =>
  (system.readdirSync(path, options) as Named[]).toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))

Object.assign(fs.promises, {
  rename: later(systemPromises.rename, (from, to) => fs.renameSync(from, to)),
  link: later(systemPromises.link, (from, to) => fs.linkSync(from, to)),
  unlink: later(systemPromises.unlink, (path) => fs.unlinkSync(path)),
  rm: later(systemPromises.rm, (path, options) => {
    volumeOf(String(path))?.step('unlink')
    fs.rmSync(path, options)
  }),
  mkdir: later(
    systemPromises.mkdir as (path: fs.PathLike, options: fs.MakeDirectoryOptions) => Promise<unknown>,
    (path, options) => system.mkdirSync(path, options),
  ),
  access: later(systemPromises.access, (path, mode) => system.accessSync(path, mode)),
  stat: later(systemPromises.stat as (path: fs.PathLike) => Promise<fs.Stats>, (path) => system.statSync(path)),
  readdir: later(systemPromises.readdir as (path: fs.PathLike, options: object) => Promise<readonly Named[]>, listing),
})

syncBuiltinESMExports()

/** Connections of a process that is over are closed by whoever ended it: each shows itself with the first thing it is asked. */
const { prototype } = createRequire(import.meta.url)('better-sqlite3') as typeof Sqlite
for (const name of ['pragma', 'exec'] as const) {
  const original = prototype[name] as (...args: unknown[]) => unknown
  const noted = function (this: Sqlite.Database, ...args: unknown[]): unknown {
    volumeOf(this.name)?.connections.add(this)
    return original.apply(this, args)
  }
  Object.defineProperty(prototype, name, { value: noted })
}

Volume.useSystem({ ...system, closeSync: fs.closeSync })
