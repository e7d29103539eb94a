/**
 * Keeps an older version from running on a data folder that it would misread. A node ignores files with unknown names, except
 * `required-…`. A later version uses this prefix for files that must not be ignored, so an older version refuses the folder.
 */
import { readdirSync } from 'node:fs'
import { MacaroondError } from '../errors.ts'

export const REQUIRED_PREFIX = 'required-'

/** An interrupted repair leaves a folder with this prefix. No version may start a node until the repair has run again. */
export const REPAIRING_PREFIX = 'required-damaged-'

/** Throws schema_newer and repair_unfinished. Accepts a folder that does not exist. */
export function refuseUnknownRequired(folder: string): void {
  refuseNewer(folder)
  if (!namesIn(folder).some(isRepairing)) return
  throw new MacaroondError('repair_unfinished', `a repair of ${folder} was interrupted`, {
    hint: 'run `macaroond repair` on it again: it resumes where it stopped, and nothing is lost',
  })
}

/** The check for the repair itself, which may resume an interrupted one. Throws schema_newer. */
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
    // A missing folder is fine. A folder that cannot be read fails with a better message when it is opened.
    return []
  }
}
