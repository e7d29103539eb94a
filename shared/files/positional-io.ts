/**
 * Positional file I/O that transfers every byte asked for, or throws an error with a code: io_failed, disk_full, sync_failed.
 * `node:fs` may transfer fewer bytes without an error.
 */
import { closeSync, fdatasyncSync, fsyncSync, openSync, readlinkSync, readSync, writeSync } from 'node:fs'
import { storageError, syncError } from './storage-errors.ts'

const PIECE_BYTES = 1024 * 1024

/** Reads `length` bytes into `into` from `start`. Returns the number read, which is smaller only at the end of the file. */
export function readAt(fd: number, into: Uint8Array, start: number, length: number, position: number): number {
  try {
    let done = 0
    while (done < length) {
      const count = readSync(fd, into, start + done, length - done, position + done)
      if (count === 0) break
      done += count
    }
    return done
  } catch (error) {
    throw storageError(error, `reading ${nameOf(fd)}`)
  }
}

/** Writes all `length` bytes. On a full disk the first call may write a part, and only the next one reports ENOSPC. */
export function writeAt(fd: number, from: Uint8Array, start: number, length: number, position: number): void {
  try {
    let done = 0
    while (done < length) done += writeSync(fd, from, start + done, length - done, position + done)
  } catch (error) {
    throw storageError(error, `writing ${nameOf(fd)}`)
  }
}

/** Makes the writes to this file durable. Throws sync_failed. */
export function syncFile(fd: number, path: string): void {
  try {
    fdatasyncSync(fd)
  } catch (error) {
    throw syncError(error, path)
  }
}

/**
 * Writes every byte of a file again and makes it durable. A node does this at start with a file that an earlier process may
 * have failed to sync: after a failed fsync the kernel may mark pages clean that it never wrote. They can still be read, no
 * later fsync writes them, and a power cut loses them.
 */
export function rewriteAndSync(path: string): void {
  const fd = openIfThere(path)
  if (fd === undefined) return
  try {
    const piece = Buffer.allocUnsafe(PIECE_BYTES)
    let done = 0
    for (let length = -1; length !== 0; done += length) {
      length = readAt(fd, piece, 0, PIECE_BYTES, done)
      writeAt(fd, piece, 0, length, done)
    }
    if (done > 0) syncFile(fd, path)
  } finally {
    closeSync(fd)
  }
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, 'r+')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw storageError(error, `opening ${path}`)
  }
}

/** Makes a new or renamed entry of `directory` durable: fsync of a file does not cover its name. Throws sync_failed. */
export function syncDirectory(directory: string): void {
  const fd = openDirectory(directory)
  try {
    fsyncSync(fd)
  } catch (error) {
    throw syncError(error, `the directory ${directory}`)
  } finally {
    closeSync(fd)
  }
}

/** Path of an open file, for error messages. Linux only, like every node. */
function nameOf(fd: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return 'a file of the node'
  }
}

function openDirectory(directory: string): number {
  try {
    return openSync(directory, 'r')
  } catch (error) {
    throw storageError(error, `opening the directory ${directory}`)
  }
}
