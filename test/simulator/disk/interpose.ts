/**
 * Loaded before the product (`node --import`): what nodes do to files is seen on its way to the system, so that a simulation
 * knows what was synced, can lose the rest, and can lose power between any two calls. The program itself has no switch for
 * it. SQLite's own reads and writes do not pass here.
 */
import fs from 'node:fs'
import { createRequire, syncBuiltinESMExports } from 'node:module'
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
  return file.volume.write(file, position ?? undefined, bytes, write)
}) as typeof fs.writeSync

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

fs.promises.open = (async (path: fs.PathLike, flags?: string, mode?: fs.Mode) => {
  const volume = volumeOf(String(path))
  if (volume === undefined) return systemPromises.open(path, flags, mode)
  await volume.pause()
  const fd = fs.openSync(path, flags ?? 'r', mode)
  return {
    writeFile: async (text: string): Promise<void> => {
      await volume.pause()
      fs.writeSync(fd, text)
    },
    datasync: async (): Promise<void> => {
      await volume.pause()
      fs.fdatasyncSync(fd)
    },
    [Symbol.asyncDispose]: async (): Promise<void> => fs.closeSync(fd),
  }
}) as unknown as typeof fs.promises.open

fs.promises.rename = async (from, to) => {
  await volumeOf(String(from))?.pause()
  fs.renameSync(from, to)
}

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
