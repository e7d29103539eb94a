/** Writes a file so that a crash leaves either the old content or the whole new one. */
import { closeSync, fdatasyncSync, openSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { syncDirectory } from './positional-io.ts'

/** Mode 0600. The name appears once the content is on disk, and it is durable too on return. Throws the errors of `node:fs`. */
export function writeAtomically(path: string, text: string): void {
  const temporary = `${path}.tmp`
  const fd = openSync(temporary, 'w', 0o600)
  try {
    const bytes = Buffer.from(text)
    for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done)
    fdatasyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(temporary, path)
  syncDirectory(dirname(path))
}
