/**
 * The destination of a node's lines: standard output or standard error. No thread may block in a write or an open of it,
 * because such a thread keeps the process from ending.
 *
 * - A regular file is written through its descriptor. A full disk fails at once; only a network file system can hang.
 * - A pipe, FIFO or terminal is opened again without blocking, so that the flags shared with other processes do not change.
 * - For a socket, and for a file that this user may not open, a child process copies the lines.
 */
import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs'
import { Copier } from './copier.ts'

export interface Sink {
  /** Writes as many bytes as there is room for, and returns their number, which may be 0. Throws the system's error. */
  readonly take: (bytes: Uint8Array) => number
  /** The last call. Blocks until the bytes taken are written, at most `limitMs`. */
  readonly close: (limitMs: number) => void
}

/** O_APPEND, because otherwise a log opened with `>>` would be overwritten from its beginning. */
const NEVER_WAITING = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_APPEND | constants.O_NOCTTY

export function openSink(fd: 1 | 2): Sink {
  const stat = fstatSync(fd)
  if (stat.isFile()) return onDescriptor(fd)
  return stat.isSocket() ? new Copier(fd) : reopened(fd)
}

function onDescriptor(fd: number): Sink {
  return { take: (bytes) => tryWrite(fd, bytes), close: () => undefined }
}

function tryWrite(fd: number, bytes: Uint8Array): number {
  try {
    return writeSync(fd, bytes)
  } catch (error) {
    if (codeOf(error) === 'EAGAIN') return 0
    throw error
  }
}

function reopened(fd: 1 | 2): Sink {
  const name = `/proc/self/fd/${fd}`
  try {
    const own = openSync(name, NEVER_WAITING)
    replace(fd, own)
    return onDescriptor(own)
  } catch (error) {
    return codeOf(error) === 'ENXIO' ? openAtFirstWrite(name) : new Copier(fd)
  }
}

/** Opens a FIFO at the first write, because it cannot be opened while nobody reads it. */
function openAtFirstWrite(name: string): Sink {
  let sink: Sink | undefined
  const opened = (): Sink => (sink ??= onDescriptor(openSync(name, NEVER_WAITING)))
  return { take: (bytes) => opened().take(bytes), close: () => undefined }
}

/**
 * Replaces the descriptor by one that does not block, so that Node's and V8's own last messages do not block either. Call it at
 * the start of the process, when no other thread opens files.
 */
function replace(fd: 1 | 2, own: number): void {
  closeSync(fd)
  // If the number went to another file, such as a database, text would be written into it.
  if (openSync(`/proc/self/fd/${own}`, NEVER_WAITING) !== fd) process.abort()
}

export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown'
}
