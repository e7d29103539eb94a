/**
 * A read transaction that is always there, so that no other program can reset the WAL under us: with it a foreign TRUNCATE or RESTART
 * is busy, and PASSIVE copies but leaves the log. Two connections take turns, so that it can move forward without a gap.
 */
import type { Database } from './open-database.ts'
import { openGuard } from './open-database.ts'
import { storageError } from '../files/storage-errors.ts'

export class Guard {
  #holding: Database
  #resting: Database

  private constructor(holding: Database, resting: Database) {
    this.#holding = holding
    this.#resting = resting
  }

  /** Holds from here on. The database must exist. */
  static open(database: string): Guard {
    const holding = openGuard(database)
    try {
      const guard = new Guard(holding, openGuard(database))
      hold(holding)
      return guard
    } catch (error) {
      holding.close()
      throw error
    }
  }

  /** Moves to the last commit: a checkpoint copies only up to where the oldest reader stands. */
  advance(): void {
    hold(this.#resting)
    release(this.#holding)
    const rested = this.#resting
    this.#resting = this.#holding
    this.#holding = rested
  }

  /** Runs `work` without the guard. It is synchronous on purpose: nothing of ours may come in between. */
  whileReleased<T>(work: () => T): T {
    release(this.#holding)
    try {
      return work()
    } finally {
      hold(this.#holding)
    }
  }

  close(): void {
    this.#holding.close()
    this.#resting.close()
  }
}

/** BEGIN alone takes no lock: the first read does. */
function hold(connection: Database): void {
  try {
    connection.exec('BEGIN')
    connection.prepare('SELECT count(*) FROM sqlite_schema').get()
  } catch (error) {
    throw storageError(error, 'taking the guard of the WAL')
  }
}

function release(connection: Database): void {
  connection.exec('COMMIT')
}
