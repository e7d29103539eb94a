/** The database and the segment log of a stopped primary, opened as a primary opens them. */
import { join } from 'node:path'
import { CommitLog } from '../../../primary/commit-log/commit-log.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { CLUSTER } from './harness.ts'

/** `folder`: the `data` of the primary. */
export function openStoppedLog(folder: string): CommitLog {
  return new CommitLog({
    database: join(folder, 'macaroond.db'),
    logFolder: join(folder, 'log'),
    keepBytes: 100_000_000,
    cluster: CLUSTER,
    clock: systemClock,
    entropy: systemEntropy,
    reserveBytes: 0,
    initialize: () => undefined,
    onGap: () => undefined,
    onDamagedLog: () => undefined,
  })
}
