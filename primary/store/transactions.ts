/**
 * The group writer's transactions on the database. If an error comes before COMMIT, or the disk is full in COMMIT, the
 * transaction is rolled back. After any other error of COMMIT, or an error while the segment is logged, the outcome is
 * unknown. Such an error also stops the primary, except for a full disk.
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

/** The log that every commit goes to. */
export type TransactionLog = Pick<CommitLog, 'db' | 'captureCommit' | 'positionAt'>

export interface TransactionOptions {
  readonly ring: readonly Kek[]
  readonly entropy: Entropy
}

/** `onFatal` is called for an error after which the content of the database is unknown until a restart. */
export function transactionsOn(
  log: TransactionLog,
  { ring, entropy }: TransactionOptions,
  onFatal: (error: unknown) => void,
): TransactionPort {
  const { db } = log
  const rows = new RowWriter(db)
  const begin = db.prepare('BEGIN IMMEDIATE')
  const commit = db.prepare('COMMIT')
  return {
    begin: () => withErrorCode('starting a transaction', () => begin.run()),
    write: (row) => withErrorCode('writing a row', () => rows.write(row)),
    commit: (state, stampMs) => {
      withErrorCode('writing a row', () => rows.bump(state))
      commitOrStop(() => commit.run(), db.name, onFatal)
      return captureOrStop(log, stampMs(), onFatal)
    },
    rollback: () => {
      if (db.inTransaction) db.exec('ROLLBACK')
    },
    migrate: (stampMs) => {
      if (!needsMigration(db)) return false
      withErrorCode('starting a transaction', () => begin.run())
      withErrorCode('migrating the database', () => migrate(db, stampMs()))
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

/**
 * Runs work that comes before COMMIT, and gives its error a code: overloaded if another program holds the write lock,
 * otherwise a storage error.
 */
function withErrorCode(doing: string, work: () => unknown): void {
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
function captureOrStop(log: TransactionLog, stampMs: number, onFatal: (error: unknown) => void): Position {
  try {
    return log.captureCommit(stampMs)
  } catch (error) {
    if (!(error instanceof MacaroondError) || error.code !== 'disk_full') onFatal(error)
    throw outcomeUnknown(error)
  }
}

/** The error for callers whose write may or may not be in the database. */
function outcomeUnknown(cause: unknown): MacaroondError {
  return new MacaroondError('outcome_unknown', 'it is unknown if the write was carried out', {
    hint: 'check the result before you repeat it; the log of the primary says what failed',
    cause,
  })
}
