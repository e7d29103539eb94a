/** Makes a folder in the system's temporary directory. The caller deletes it. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MacaroondError } from '../shared/errors.ts'
import { storageError } from '../shared/files/storage-errors.ts'

/**
 * `purpose` is part of the folder's name, so that an operator who finds a folder knows what made it. Throws io_failed,
 * disk_full.
 */
export function temporaryFolder(purpose: string): string {
  try {
    return mkdtempSync(join(tmpdir(), `macaroond-${purpose}-`))
  } catch (error) {
    const { code, message, hint = '' } = storageError(error, `making a temporary folder in ${tmpdir()}`)
    const elsewhere = 'set TMPDIR to a folder that this user may write, with room'
    throw new MacaroondError(code, message, {
      hint: code === 'disk_full' ? `${hint}; or ${elsewhere}` : elsewhere,
      cause: error,
    })
  }
}
