/**
 * The group writer's transactions on the real database. After an error before COMMIT, and after a full disk in COMMIT, the
 * transaction is rolled back. Any later error leaves the outcome unknown; unless the disk is full, it also stops the primary.
 */
import type { Entropy } from '../../shared/clock.ts'
import type { Kek } from '../../shared/sealing.ts'
import { isBusy, sqliteError, storageError } from '../../shared/files/storage-errors.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { Position } from '../../shared/position.ts'
import type { CommitLog } from '../commit-log/commit-log.ts'
import type { TransactionPort } from '../commit-log/group-writer.ts'
import { loadState } from './load-state.ts'
import { migrate, needsMigration } from './migrate.ts'
import { RowWriter } from './row-writer.ts'

export interface TransactionOptions {
  readonly ring: readonly Kek[]
  readonly entropy: Entropy
}

/** `onFatal`: the content of the database is unknown after this error, and only a restart establishes it. */
export function transactionsOn(
  log: CommitLog,
  { ring, entropy }: TransactionOptions,
  onFatal: (error: unknown) => void,
): TransactionPort {
  const { db } = log
  const rows = new RowWriter(db)
  const begin = db.prepare('BEGIN IMMEDIATE')
  const commit = db.prepare('COMMIT')
  return {
    begin: () => guarded('starting a transaction', () => begin.run()),
    write: (row) => guarded('writing a row', () => rows.write(row)),
    commit: (state, stampMs) => {
      guarded('writing a row', () => rows.bump(state))
      commitOrStop(() => commit.run(), db.name, onFatal)
      return captureOrStop(log, stampMs(), onFatal)
    },
    rollback: () => {
      if (db.inTransaction) db.exec('ROLLBACK')
    },
    migrate: (stampMs) => {
      if (!needsMigration(db)) return false
      guarded('starting a transaction', () => begin.run())
      guarded('migrating the database', () => migrate(db, stampMs()))
      commitOrStop(() => commit.run(), db.name, onFatal)
      captureOrStop(log, stampMs(), onFatal)
      return true
    },
    positionAt: (carriedOut) => log.positionAt(carriedOut),
    reload: (known) => {
      try {
        return loadState(db, ring, entropy, known)
      } catch (error) {
        throw sqliteError(error, `reading ${db.name}`)
      }
    },
  }
}

/** Gives an error before COMMIT its code: overloaded if another program holds the write lock, else a storage error. */
function guarded(doing: string, work: () => unknown): void {
  try {
    work()
  } catch (error) {
    if (!isBusy(error)) throw storageError(error, doing)
    throw new MacaroondError('overloaded', 'another program holds a write transaction on the database', {
      hint: 'only the primary may write its database; end that transaction',
    })
  }
}

/** A full disk rolls the transaction back, and the primary goes on. After any other failed write or fsync it stops. */
function commitOrStop(commit: () => unknown, path: string, onFatal: (error: unknown) => void): void {
  try {
    commit()
  } catch (error) {
    const failure = storageError(error, `committing to ${path}`)
    if (failure.code === 'disk_full') throw failure
    onFatal(failure)
    throw outcomeUnknown(failure)
  }
}

/** The transaction is committed. A full disk only delays its segment; any other error stops the primary. */
function captureOrStop(log: CommitLog, stampMs: number, onFatal: (error: unknown) => void): Position {
  try {
    return log.captureCommit(stampMs)
  } catch (error) {
    if (!(error instanceof MacaroondError) || error.code !== 'disk_full') onFatal(error)
    throw outcomeUnknown(error)
  }
}

/** The answer for callers that cannot be told if their write is in the database. */
function outcomeUnknown(cause: unknown): MacaroondError {
  return new MacaroondError('outcome_unknown', 'the write may have been carried out, or not', {
    hint: 'check the result before you repeat it; the log of the primary says what failed',
    cause,
  })
}
