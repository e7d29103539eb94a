/**
 * Runs one SQLite checkpoint and returns its outcome as a value. `PRAGMA wal_checkpoint` does not fail when readers block it,
 * so the row it returns must be read. Retries and the guard are the work of the callers.
 */
import type { Database } from './open-database.ts'
import { isBusy, storageError } from '../files/storage-errors.ts'

/** Frames in the WAL, and how many of them are now in the database file. */
interface Progress {
  readonly log: number
  readonly checkpointed: number
}

export type CheckpointOutcome =
  /** Everything is in the database file and the WAL is empty. */
  | { readonly kind: 'truncated' }
  /** There was nothing to do. */
  | { readonly kind: 'empty' }
  /** Everything is in the database file, but readers kept the WAL from being emptied. The next commit may overwrite the WAL. */
  | ({ readonly kind: 'backfilled' } & Progress)
  /** Readers of older states kept a part from being copied. */
  | ({ readonly kind: 'partial' } & Progress)
  /** Another checkpoint, or a recovery, was running. */
  | { readonly kind: 'busy' }
  /** This node reads a view of all pages, for a snapshot or a scrub; retry later. */
  | { readonly kind: 'pinned' }

interface CheckpointRow {
  readonly busy: number
  readonly log: number
  readonly checkpointed: number
}

/** PASSIVE copies what it can and waits for nobody. TRUNCATE also empties the WAL if no connection is reading from it. */
export function runCheckpoint(connection: Database, mode: 'PASSIVE' | 'TRUNCATE'): CheckpointOutcome {
  try {
    const [row] = connection.pragma(`wal_checkpoint(${mode})`) as CheckpointRow[]
    return row === undefined ? { kind: 'busy' } : outcomeOf(row)
  } catch (error) {
    if (isBusy(error)) return { kind: 'busy' }
    throw storageError(error, `checkpointing ${connection.name}`)
  }
}

function outcomeOf(row: CheckpointRow): CheckpointOutcome {
  const { busy, log, checkpointed } = row
  // -1: the checkpoint did not run at all.
  if (log < 0) return { kind: 'busy' }
  if (busy === 0 && log === 0) return { kind: 'truncated' }
  return checkpointed >= log ? { kind: 'backfilled', log, checkpointed } : { kind: 'partial', log, checkpointed }
}
