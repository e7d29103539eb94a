/** Reads and writes at a position that finish what they start, or say why with a code. */
import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs'
import { storageError } from './storage-errors.ts'

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
    throw storageError(error, 'reading a database file')
  }
}

/** Writes all `length` bytes: a full disk may take a part first, and only the next call says ENOSPC. */
export function writeAt(fd: number, from: Uint8Array, start: number, length: number, position: number): void {
  try {
    let done = 0
    while (done < length) done += writeSync(fd, from, start + done, length - done, position + done)
  } catch (error) {
    throw storageError(error, 'writing a database file')
  }
}

/** Makes a created or renamed entry of `directory` durable: fsync of a file does not cover its name. */
export function syncDirectory(directory: string): void {
  try {
    const fd = openSync(directory, 'r')
    try {
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    throw storageError(error, `syncing the directory ${directory}`)
  }
}
