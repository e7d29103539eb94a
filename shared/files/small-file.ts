/** Reads a small regular file: what is endless, a pipe that nobody writes to, or too large does not hold up the start. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'

export interface SmallFile {
  /** At most one byte more than asked for: then the file is too large. */
  readonly bytes: Buffer
  /** Of the very file that was read: nothing can be swapped in between. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/** Throws the file system's own errors, and an error with code ENOTFILE for what is no regular file. */
export function readSmallFile(path: string, bytesMax: number): SmallFile {
  // O_NONBLOCK: opening a pipe waits for its writer otherwise.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile()) throw Object.assign(new Error(`${path} is not a regular file`), { code: 'ENOTFILE' })
    return { bytes: readUpTo(fd, bytesMax + 1), mode: stat.mode & 0o777, uid: stat.uid, gid: stat.gid }
  } finally {
    closeSync(fd)
  }
}

function readUpTo(fd: number, limit: number): Buffer {
  const bytes = Buffer.alloc(limit)
  let filled = 0
  while (filled < limit) {
    const read = readSync(fd, bytes, filled, limit - filled, filled)
    if (read === 0) break
    filled += read
  }
  return bytes.subarray(0, filled)
}
