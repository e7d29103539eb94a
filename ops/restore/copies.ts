/** What a copied data folder knows, if it is what was recorded of it. */
import { MacaroondError } from '../../shared/errors.ts'
import { sqliteError } from '../../shared/files/storage-errors.ts'
import type { Archived, Comparison } from './comparison.ts'
import { unread } from './comparison.ts'
import { compareCopiedPrimary } from './copied-primary.ts'
import { compareCopiedReplica } from './copied-replica.ts'
import type { NodeCopy } from './scratch.ts'

export interface Comparing {
  /** Of the authority, from the operator; undefined where none was given. */
  readonly publicKey: Uint8Array | undefined
  readonly archived: Archived
  readonly nowMs: number
}

/** Errors that mean: the bytes are not what was written. */
const DAMAGE: ReadonlySet<string> = new Set([
  'position_diverged',
  'database_corrupt',
  'log_corrupt',
  'foreign_write',
  'segment_corrupt',
])

export function compareCopy({ folder, database, role }: NodeCopy, comparing: Comparing): Comparison {
  try {
    if (role === 'replica') return compareCopiedReplica(folder, database, comparing)
    return compareCopiedPrimary({ folder, database, ...comparing })
  } catch (cause) {
    const error = sqliteError(cause, 'comparing it with what was recorded')
    if (error instanceof MacaroondError && DAMAGE.has(error.code)) return unread(error.message)
    throw error
  }
}
