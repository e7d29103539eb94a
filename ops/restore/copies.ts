/** Compares a copied data folder with what was recorded of it, by the role of its node. */
import { MacaroondError } from '../../shared/errors.ts'
import { sqliteError } from '../../shared/files/storage-errors.ts'
import type { ArchivedChecksums, Comparison } from './comparison.ts'
import { notBelieved } from './comparison.ts'
import { compareCopiedPrimary } from './copied-primary.ts'
import { compareCopiedReplica } from './copied-replica.ts'
import type { NodeCopy } from './scratch.ts'

/** The records outside the copy that it is compared with. */
export interface CompareOptions {
  /** The authority's public key, from the operator; undefined if none was given. */
  readonly publicKey: Uint8Array | undefined
  readonly archived: ArchivedChecksums
  readonly nowMs: number
}

/** Codes of errors that mean that the bytes are not what the node wrote. Other errors are thrown. */
const DAMAGE: ReadonlySet<string> = new Set([
  'position_diverged',
  'database_corrupt',
  'log_corrupt',
  'foreign_write',
  'segment_corrupt',
])

/** Compares the copy. Damage is a `problem` of the result; any other error is thrown. */
export function compareCopy({ folder, database, role }: NodeCopy, comparing: CompareOptions): Comparison {
  try {
    if (role === 'replica') return compareCopiedReplica(folder, database, comparing)
    return compareCopiedPrimary({ folder, database, ...comparing })
  } catch (cause) {
    const error = sqliteError(cause, 'comparing it with what was recorded')
    if (error instanceof MacaroondError && DAMAGE.has(error.code)) return notBelieved(error.message)
    throw error
  }
}
