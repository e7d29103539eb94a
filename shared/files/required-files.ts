/**
 * Files that a version must understand to run on a data folder. A node ignores names that it does not know, but for
 * `required-…`: a later version keeps under such a name what must not be passed over, and an older one refuses the folder.
 */
import { readdirSync } from 'node:fs'
import { MacaroondError } from '../errors.ts'

export const REQUIRED_PREFIX = 'required-'

/** The names that this version understands. */
const KNOWN: ReadonlySet<string> = new Set<string>()

/** Throws schema_newer. A folder that is not there has no such file. */
export function refuseUnknownRequired(folder: string): void {
  const unknown = namesIn(folder).find((name) => name.startsWith(REQUIRED_PREFIX) && !KNOWN.has(name))
  if (unknown === undefined) return
  throw new MacaroondError(
    'schema_newer',
    `${folder} holds ${unknown.slice(0, 80)}, which this version does not know`,
    {
      hint: 'a newer version wrote it: run that version here; do not delete the file',
    },
  )
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    // Its absence is no matter, and whoever opens it tells why it cannot be read.
    return []
  }
}
