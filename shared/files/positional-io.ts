/** Reads and writes at a position that finish what they start, or say why with a code. */
import { closeSync, fdatasyncSync, fsyncSync, openSync, readlinkSync, readSync, writeSync } from 'node:fs'
import { storageError, syncError } from './storage-errors.ts'

const PIECE_BYTES = 1024 * 1024

/** Fills `into` from `start` with up to `length` bytes; returns fewer only at the end of the file. */
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

/** Writes all `length` bytes: a full disk may take a part first, and only the next call says ENOSPC. */
export function writeAt(fd: number, from: Uint8Array, start: number, length: number, position: number): void {
  try {
    let done = 0
    while (done < length) done += writeSync(fd, from, start + done, length - done, position + done)
  } catch (error) {
    throw storageError(error, `writing ${nameOf(fd)}`)
  }
}

/** Makes what was written durable. Throws sync_failed. */
export function syncFile(fd: number, path: string): void {
  try {
    fdatasyncSync(fd)
  } catch (error) {
    throw syncError(error, path)
  }
}

/**
 * Writes every byte of a file once more, and makes it durable; at start, where a file is trusted that an earlier life may have
 * failed to sync. Its bytes can still be read, but the kernel may have called them clean without having written them: no
 * fsync would write them then, and a power cut would take them.
 */
export function writeAgain(path: string): void {
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

/** Makes a created or renamed entry of `directory` durable: fsync of a file does not cover its name. Throws sync_failed. */
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

/** For whoever reads that it failed. Linux only, as all of this is. */
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
