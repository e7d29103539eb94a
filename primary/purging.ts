/**
 * Reads the log of revocations on a schedule, and submits the outlived ones to the authority, which deletes them. The
 * authority judges each row again in its transaction, so a mistake here deletes nothing.
 */
import { turn } from '../shared/clock.ts'
import { RevocationLog } from '../shared/database/revocation-log.ts'
import type { Host } from '../shared/service/host.ts'
import { PURGE_ROWS_MAX } from '../shared/limits.ts'
import type { Log } from '../shared/log.ts'
import type { Database } from '../shared/sqlite/open-database.ts'
import { isOutlived } from '../shared/verifier/outlived.ts'
import { DeletionClock } from '../shared/deletion-clock.ts'
import type { Purged } from './authority/commands.ts'
import type { GroupWriter } from './commit-log/group-writer.ts'

export interface PurgingOptions {
  readonly db: Database
  readonly writer: GroupWriter
  readonly host: Pick<Host, 'clock' | 'schedule'>
  /** Cron expression. */
  readonly at: string
  readonly log: Log
}

const ACTOR = { text: 'purge' }

export class Purging {
  readonly #options: PurgingOptions
  readonly #revocations: RevocationLog
  readonly #deletionClock: DeletionClock
  readonly #stop = new AbortController()
  #cancel: () => void = () => undefined
  #running: Promise<unknown> | undefined

  /**
   * Its clock starts at the last mint, so nothing is deleted early if the wall clock jumped ahead while the primary was down.
   */
  constructor(options: PurgingOptions) {
    this.#options = options
    this.#revocations = new RevocationLog(options.db)
    this.#deletionClock = new DeletionClock(options.host.clock)
    this.#deletionClock.startFrom(options.writer.state.issue.lastMs)
  }

  start(): void {
    const { host, at, log } = this.#options
    this.#cancel = host.schedule({ name: 'purge', at, run: () => this.#run() }, log)
  }

  /** Resolves when the batch in progress is done. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.#cancel()
    await this.#running
  }

  #run(): Promise<void> {
    const purged = this.#purge()
    this.#running = purged.catch(() => undefined)
    return purged
  }

  /** One transaction for each batch with outlived rows. A refused write ends the purge until the next schedule. */
  async #purge(): Promise<void> {
    const { writer, host, log } = this.#options
    let purged = 0
    for (let after = 0; !this.#stop.signal.aborted;) {
      const part = this.#revocations.after(after, PURGE_ROWS_MAX)
      const last = part.at(-1)
      if (last === undefined) break
      after = last.seq
      const deletionClockMs = this.#deletionClock.nowMs()
      const rows = part.filter((row) => isOutlived(row, deletionClockMs))
      if (rows.length > 0) {
        const command = { kind: 'revocations.purge', actor: ACTOR, rows, deletionClockMs } as const
        purged += (await writer.submit<Purged>(command)).answer.purged
      }
      await turn(host.clock)
    }
    // The table in memory does not shrink by itself when rows leave it.
    writer.state.revocations.shrink()
    log.info({ purged }, 'purge: outlived revocations deleted')
  }
}
