/**
 * Where the lines of a node end up: its standard output or standard error. No thread may ever wait in a write or an open of
 * it, because such a thread keeps the process from ending. So a regular file is written by its own descriptor: a full disk
 * answers at once, and only a network file system that hangs does not. A pipe, FIFO or terminal is opened once more, in a way
 * that never waits, without touching the flags that other processes share. Only a socket, and what this user may not open, are
 * left to a child process that copies.
 */
import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs'
import { Copier } from './copier.ts'

export interface Sink {
  /** Takes as many bytes as there is room for, 0 if there is none. Throws what the system says. */
  readonly take: (bytes: Uint8Array) => number
  /** The last call: waits at most so long for what was taken. */
  readonly close: (limitMs: number) => void
}

/** O_APPEND: without it a log that was begun by `>>` is overwritten from its beginning. */
const NEVER_WAITING = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_APPEND | constants.O_NOCTTY

export function openSink(fd: 1 | 2): Sink {
  const stat = fstatSync(fd)
  if (stat.isFile()) return onDescriptor(fd)
  return stat.isSocket() ? new Copier(fd) : reopened(fd)
}

function onDescriptor(fd: number): Sink {
  return { take: (bytes) => written(fd, bytes), close: () => undefined }
}

function written(fd: number, bytes: Uint8Array): number {
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
    return codeOf(error) === 'ENXIO' ? openedLater(name) : new Copier(fd)
  }
}

/** A FIFO cannot be opened while nobody reads it. */
function openedLater(name: string): Sink {
  let sink: Sink | undefined
  const opened = (): Sink => (sink ??= onDescriptor(openSync(name, NEVER_WAITING)))
  return { take: (bytes) => opened().take(bytes), close: () => undefined }
}

/**
 * Puts a descriptor that never waits in the place of the old one, so that what Node and V8 themselves print before they give
 * up does not wait either. Called at the start of the process, when no other thread opens files.
 */
function replace(fd: 1 | 2, own: number): void {
  closeSync(fd)
  // A database must not get the number of standard error: text would be written into it.
  if (openSync(`/proc/self/fd/${own}`, NEVER_WAITING) !== fd) process.abort()
}

export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown'
}
