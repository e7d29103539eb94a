/** A commit log of a database that is made where there is none, and in which nothing may be wrong. */
import { join } from 'node:path'
import { expect } from 'vitest'
import type { CommitLogOptions } from '../../../primary/commit-log/commit-log.ts'
import { createAuthorityDatabase, isEmptyDatabase } from '../../../primary/store/create-database.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { kekFromHex } from '../../../shared/sealing.ts'

const kek = kekFromHex('5a'.repeat(32))

export function logOptions(folder: string): CommitLogOptions {
  return {
    database: join(folder, 'macaroond.db'),
    logFolder: join(folder, 'log'),
    keepBytes: 1e9,
    cluster: 'test',
    clock: systemClock,
    entropy: systemEntropy,
    reserveBytes: 100_000,
    initialize: (db) => {
      if (isEmptyDatabase(db))
        createAuthorityDatabase(db, { cluster: 'test', kek, clock: systemClock, entropy: systemEntropy })
    },
    onGap: (gap) => expect.unreachable(`a gap after ${gap.logged}`),
    onDamagedLog: (error) => expect.unreachable(error.message),
  }
}
