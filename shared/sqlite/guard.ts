/**
 * A read transaction that is always open, so that no other program can reset the primary's WAL before it was shipped. While it
 * is open, a foreign TRUNCATE or RESTART fails as busy, and a PASSIVE checkpoint copies frames but keeps the log. Two
 * connections take turns, so that the guard moves forward without a gap.
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

  /** Opens both connections and starts the read transaction. The database must exist. */
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

  /** Moves the guard to the last commit, because a checkpoint copies only frames that the oldest reader already sees. */
  advance(): void {
    hold(this.#resting)
    release(this.#holding)
    const rested = this.#resting
    this.#resting = this.#holding
    this.#holding = rested
  }

  /** Runs `work` without the guard. It is synchronous, so that no other code of this process runs before the guard is back. */
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
