/** The group writer's transactions on the real database. */
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

/** `onFatal`: after such an error it is unknown what is in the database; only a restart finds out. */
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

function guarded(doing: string, work: () => unknown): void {
  try {
    work()
  } catch (error) {
    if (!isBusy(error)) throw storageError(error, doing)
    throw new MacaroondError('overloaded', 'another program holds a write transaction on the database', {
      hint: 'nobody but the primary may write; end that transaction',
    })
  }
}

/** A full disk leaves the transaction undone and the primary alive; a failed write or fsync may have done anything. */
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

/** The transaction is committed; a full disk only keeps it out of the log for now, anything else ends this primary. */
function captureOrStop(log: CommitLog, stampMs: number, onFatal: (error: unknown) => void): Position {
  try {
    return log.captureCommit(stampMs)
  } catch (error) {
    if (!(error instanceof MacaroondError) || error.code !== 'disk_full') onFatal(error)
    throw outcomeUnknown(error)
  }
}

function outcomeUnknown(cause: unknown): MacaroondError {
  return new MacaroondError('outcome_unknown', 'the write may have been carried out, or not', {
    hint: 'look before you repeat it; the log of the primary says what failed',
    cause,
  })
}
