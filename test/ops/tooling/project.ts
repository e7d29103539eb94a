/** The root and the source files of the repository, for the checks of the repository itself. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT: string = fileURLToPath(new URL('../../..', import.meta.url))

export const LAYERS = ['ops', 'primary', 'replica', 'shared'] as const

/** Paths of all TypeScript files under `folders`, relative to the root. */
export function typescriptFiles(folders: readonly string[]): readonly string[] {
  return folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.includes('node_modules'))
      .map((name) => join(folder, name)),
  )
}
