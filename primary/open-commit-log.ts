/** Opens the commit log in a primary's data folder, and creates the database if there is none. */
import { join } from 'node:path'
import { readSigningKeyFile } from '../shared/database/signing-key-file.ts'
import type { Host } from '../shared/service/host.ts'
import type { AlarmBoard } from '../shared/service/alarm-board.ts'
import { CommitLog } from './commit-log/commit-log.ts'
import type { PrimaryOptions } from './options.ts'
import { createAuthorityDatabase, isEmptyDatabase } from './store/create-database.ts'

const BYTES_A_MEGABYTE = 1_000_000

export interface OpenCommitLogOptions extends Pick<PrimaryOptions, 'config' | 'kek' | 'previousKeks' | 'log'> {
  readonly host: Pick<Host, 'clock' | 'entropy'>
  readonly alarms: Pick<AlarmBoard, 'set'>
}

export function openCommitLog(options: OpenCommitLogOptions): CommitLog {
  const { config, kek, previousKeks = [], log, alarms } = options
  const { clock, entropy } = options.host
  const { cluster } = config
  return new CommitLog({
    database: join(config.data, 'macaroond.db'),
    logFolder: join(config.data, 'log'),
    keepBytes: config.segments.keep_bytes,
    reserveBytes: Math.round(config.disk.reserve_mb * BYTES_A_MEGABYTE),
    cluster,
    clock,
    entropy,
    initialize: (db) => {
      if (!isEmptyDatabase(db)) return
      log.info({ cluster }, 'creating a new database')
      const { signing_key: file } = config
      const signingSeed = file === undefined ? undefined : readSigningKeyFile(file, cluster, [kek, ...previousKeks])
      createAuthorityDatabase(db, { cluster, kek, clock, entropy, signingSeed })
    },
    onGap: (gap) =>
      log.error(
        gap,
        'the segment log lacks transactions of the database, so it was set aside; replicas get a snapshot',
      ),
    onDamagedLog: (error) => alarms.set('log_damaged', error.message),
  })
}
