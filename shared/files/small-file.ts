/** Reads a small regular file. A large or endless file, or a pipe without a writer, cannot block the start of a node. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'

export interface SmallFile {
  /** At most `bytesMax + 1` bytes. The extra byte means that the file is too large. */
  readonly bytes: Buffer
  /** Mode and owners come from the open descriptor, so they are those of the file that was read. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/** Throws the errors of `node:fs`, and an error with code ENOTFILE if the path is not a regular file. */
export function readSmallFile(path: string, bytesMax: number): SmallFile {
  // Without O_NONBLOCK, opening a pipe waits for its writer.
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
