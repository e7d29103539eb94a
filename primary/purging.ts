/** Looks through the log of revocations from time to time, and has the authority delete what hits nothing any more. */
import { setImmediate } from 'node:timers/promises'
import type { RevocationLog } from '../shared/database/revocation-log.ts'
import { PURGE_ROWS_MAX } from '../shared/limits.ts'
import type { Log } from '../shared/log.ts'
import { isOutlived } from '../shared/verifier/outlived.ts'
import type { SoberClock } from './archiver/sober-clock.ts'
import type { Command, Purged } from './authority/commands.ts'

export interface PurgingOptions {
  readonly revocations: RevocationLog
  readonly clock: Pick<SoberClock, 'nowMs'>
  readonly submit: (command: Command) => Promise<{ readonly answer: Purged }>
  /** After the last transaction: memory may be given back. */
  readonly onPurged: () => void
  readonly log: Log
  readonly signal: AbortSignal
}

const ACTOR = { text: 'purge' }

/** A transaction for each part that has any; a write that is refused ends it until the next time. */
export async function purgeRevocations(options: PurgingOptions): Promise<void> {
  const { revocations, clock, submit, onPurged, log, signal } = options
  let purged = 0
  for (let after = 0; !signal.aborted;) {
    const part = revocations.after(after, PURGE_ROWS_MAX)
    const last = part.at(-1)
    if (last === undefined) break
    after = last.seq
    const soberMs = clock.nowMs()
    const rows = part.filter((row) => isOutlived(row, soberMs))
    if (rows.length > 0) {
      const { answer } = await submit({ kind: 'revocations.purge', actor: ACTOR, rows, soberMs })
      purged += answer.purged
    }
    await setImmediate()
  }
  onPurged()
  log.info({ purged }, 'purge: revocations that hit nothing')
}
