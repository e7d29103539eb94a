/** Writes a secret to a new file that only its owner may read. */
import { closeSync, fsyncSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { MacaroondError } from '../errors.ts'
import { syncDirectory } from './positional-io.ts'
import { storageError } from './storage-errors.ts'

/** The file is durable on return. Throws key_exists, because an overwritten secret is lost. Throws io_failed, disk_full. */
export function writeSecret(path: string, text: string): void {
  const fd = createExclusively(path)
  try {
    writeFileSync(fd, text)
    fsyncSync(fd)
  } catch (error) {
    rmSync(path, { force: true })
    throw storageError(error, `writing ${path}`)
  } finally {
    closeSync(fd)
  }
  syncDirectory(dirname(path))
}

function createExclusively(path: string): number {
  try {
    return openSync(path, 'wx', 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw storageError(error, `creating ${path}`)
    throw new MacaroondError('key_exists', `${path} exists already and is not overwritten`, {
      hint: 'choose another path, or move the old file away first',
    })
  }
}
