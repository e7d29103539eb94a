/** A folder for targets that read files; in memory where the machine has that, because a sync of a disk would cost most. */
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const MEMORY = '/dev/shm'

let folder: string | undefined

export function scratch(name: string): string {
  folder ??= makeFolder()
  return join(folder, name)
}

/** The path of a file with this content. */
export function scratchFile(name: string, content: Uint8Array): string {
  const path = scratch(name)
  writeFileSync(path, content, { mode: 0o600 })
  return path
}

export function scratchFolder(name: string): string {
  const path = scratch(name)
  mkdirSync(path, { recursive: true })
  return path
}

function makeFolder(): string {
  const inMemory = statSync(MEMORY, { throwIfNoEntry: false })?.isDirectory() === true
  return mkdtempSync(join(inMemory ? MEMORY : tmpdir(), 'macaroond-fuzz-'))
}

export function removeScratch(): void {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
}
