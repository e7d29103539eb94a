/**
 * Loaded before a node (`node --import`): of every write to a file of its data folder only a part is done, as the kernel may
 * do, and the caller gets the number of bytes. SQLite makes its own calls, and is left alone. `CHAOS_SHORT` names the folder, and a file
 * that the name of each such file is added to.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const [folder = '', record = ''] = (process.env['CHAOS_SHORT'] ?? '').split('\n')
// The plain functions: what this file itself does is whole.
const { appendFileSync, closeSync, openSync, renameSync, writeSync } = fs
const paths = new Map<number, string>()
const noted = new Set<string>()

function tell(path: string): void {
  if (noted.has(path)) return
  noted.add(path)
  appendFileSync(record, `${path}\n`)
}

Object.assign(fs, {
  openSync: (path: fs.PathLike, flags?: fs.OpenMode, mode?: fs.Mode): number => {
    const fd = openSync(path, flags ?? 'r', mode)
    if (String(path).startsWith(folder)) paths.set(fd, String(path))
    return fd
  },
  closeSync: (fd: number): void => {
    paths.delete(fd)
    closeSync(fd)
  },
  renameSync: (from: fs.PathLike, to: fs.PathLike): void => {
    renameSync(from, to)
    for (const [fd, path] of paths) if (path === String(from)) paths.set(fd, String(to))
  },
  writeSync: (
    fd: number,
    data: Uint8Array | string,
    start?: number | null,
    length?: number | null,
    position?: number | null,
  ): number => {
    const path = paths.get(fd)
    if (path === undefined || typeof data === 'string')
      return writeSync(fd, data as Uint8Array, start, length, position)
    const from = start ?? 0
    const all = length ?? data.byteLength - from
    const part = Math.max(1, Math.ceil(all / 2))
    if (part < all) tell(path)
    return writeSync(fd, data, from, part, position)
  },
})
syncBuiltinESMExports()
