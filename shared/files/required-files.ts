/**
 * Files that a version must understand to run on a data folder. A node ignores names that it does not know, but for
 * `required-…`: a later version keeps under such a name what must not be passed over, and an older one refuses the folder.
 */
import { readdirSync } from 'node:fs'
import { MacaroondError } from '../errors.ts'

export const REQUIRED_PREFIX = 'required-'

/** A repair that was interrupted leaves a folder of such a name: until it is run again no node may start, of no version. */
export const REPAIRING_PREFIX = 'required-damaged-'

/** Throws schema_newer, and repair_unfinished. A folder that is not there has no such file. */
export function refuseUnknownRequired(folder: string): void {
  refuseNewer(folder)
  if (!namesIn(folder).some(isRepairing)) return
  throw new MacaroondError('repair_unfinished', `a repair of ${folder} was interrupted`, {
    hint: 'run `macaroond repair` on it again: it goes on by itself, and nothing is lost',
  })
}

/** The same, for the repair that goes on with what an interrupted one has left. Throws schema_newer. */
export function refuseNewer(folder: string): void {
  const unknown = namesIn(folder).find((name) => name.startsWith(REQUIRED_PREFIX) && !isRepairing(name))
  if (unknown === undefined) return
  throw new MacaroondError(
    'schema_newer',
    `${folder} holds ${unknown.slice(0, 80)}, which this version does not know`,
    {
      hint: 'a newer version wrote it: run that version here; do not delete the file',
    },
  )
}

function isRepairing(name: string): boolean {
  return name.startsWith(REPAIRING_PREFIX)
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    // Its absence is no matter, and whoever opens it tells why it cannot be read.
    return []
  }
}
