/** Opens the parts of a database copy, and proves that its pages have the recorded checksum. */
import { join } from 'node:path'
import type { Entropy, Timers } from '../../shared/clock.ts'
import { checkMeta, MetaReader, type Meta } from '../../shared/database/meta.ts'
import { pageChecksumsOf } from '../../shared/database/pages-checksum.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { checksumText } from '../../shared/ids.ts'
import type { PageChecksums } from '../../shared/ltx/rolling-checksum.ts'
import { openReader, type Database } from '../../shared/sqlite/open-database.ts'
import { DatabaseFile } from '../../shared/sqlite/database-file.ts'
import { PageSource } from '../../shared/sqlite/page-source.ts'
import { storageError } from '../../shared/files/storage-errors.ts'
import { WalAppender } from '../../shared/sqlite/wal-appender.ts'
import type { AppliedState } from '../follower/core.ts'
import type { PositionRecord } from './position-record.ts'

export const DATABASE_NAME = 'macaroond.db'
export const DATABASE_FILES: readonly string[] = ['', '-wal', '-shm'].map((suffix) => DATABASE_NAME + suffix)

/** The open handles of a database copy, closed together by `closeCopy`. */
export interface OpenCopy {
  readonly file: DatabaseFile
  readonly appender: WalAppender
  /** The connection with which the tables read applied transactions. */
  readonly reader: Database
  readonly meta: MetaReader
}

/** Throws the errors of SQLite; then nothing stays open. */
export function openCopy(
  folder: string,
  { entropy, timers }: { readonly entropy: Entropy; readonly timers: Timers },
): OpenCopy {
  const path = join(folder, DATABASE_NAME)
  const file = DatabaseFile.open(path)
  let appender: WalAppender | undefined
  let reader: Database | undefined
  try {
    appender = WalAppender.open(file, entropy, timers)
    reader = openReader(path)
    return { file, appender, reader, meta: new MetaReader(reader) }
  } catch (error) {
    reader?.close()
    appender?.close()
    file.close()
    throw storageError(error, `opening ${path}`)
  }
}

export function closeCopy({ file, appender, reader }: OpenCopy): void {
  reader.close()
  appender.close()
  file.close()
}

/** The proven state of a copy, and the checksum of each page, which later segments are checked with. */
export interface CopyExamination {
  readonly applied: AppliedState
  readonly checksums: PageChecksums
}

/**
 * Proves the position of the copy: its pages must give the checksum that was recorded for its transaction. Throws wrong_cluster
 * and schema_newer, which an operator must handle, and database_corrupt, which a snapshot repairs.
 */
export function examineCopy(copy: OpenCopy, record: PositionRecord, cluster: string): CopyExamination {
  const meta = copy.meta.read()
  checkMeta(meta, cluster, copy.file.path)
  const checksums = pageChecksumsOf(PageSource.pin(copy.file))
  const applied = record.find(meta.epoch, meta.txid)
  if (applied === undefined) throw unproven(meta, 'no checksum is recorded for it')
  if (applied.position.checksum !== checksums.checksum) {
    throw unproven(
      meta,
      `its pages give ${checksumText(checksums.checksum)}, not ${checksumText(applied.position.checksum)}`,
    )
  }
  return { applied, checksums }
}

function unproven(meta: Meta, why: string): MacaroondError {
  return new MacaroondError('database_corrupt', `the copy at transaction ${meta.txid} cannot be trusted: ${why}`, {
    hint: 'it is moved aside, and a snapshot from the primary takes its place',
  })
}
