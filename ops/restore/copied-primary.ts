/**
 * Compares the copied database of a stopped primary with its segment log, as a start of that primary does: the pages of the
 * file and of SQLite's WAL must have the checksum that the log recorded.
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { recover } from '../../primary/commit-log/recover.ts'
import { SegmentLog, SEGMENTS_SUFFIX } from '../../primary/commit-log/segment-log.ts'
import { MetaReader } from '../../shared/database/meta.ts'
import { TXID_NONE, txid as asTxid } from '../../shared/ids.ts'
import { decodeHeader } from '../../shared/ltx/header.ts'
import type { Position } from '../../shared/position.ts'
import { type Database, openReader } from '../../shared/sqlite/open-database.ts'
import { DatabaseFile } from '../../shared/sqlite/database-file.ts'
import { WalReader } from '../../shared/sqlite/wal-reader.ts'
import { type ArchivedChecksums, type Comparison, comparePrimary, notBelieved } from './comparison.ts'

/** The copy to compare, and what to compare it with. */
interface Compared {
  readonly folder: string
  readonly database: string
  readonly archived: ArchivedChecksums
  readonly nowMs: number
}

/** Changes the copied log. Throws position_diverged, database_corrupt, log_corrupt, and the errors of SQLite. */
export function compareCopiedPrimary(compared: Compared): Comparison {
  const { folder, database } = compared
  const logFolder = join(folder, 'log')
  // Measured before the log is opened, which cuts off an incomplete record.
  const bytes = bytesIn(logFolder)
  const log = SegmentLog.open(logFolder, Number.MAX_SAFE_INTEGER)
  const file = DatabaseFile.open(database)
  try {
    const db = openReader(database)
    try {
      return compareWithLog(compared, { file, log, db, tornBytes: bytes - log.bytes })
    } finally {
      db.close()
    }
  } finally {
    file.close()
    log.close()
  }
}

/** The copy's files, open. */
interface Opened {
  readonly file: DatabaseFile
  readonly log: SegmentLog
  readonly db: Database
  readonly tornBytes: number
}

function compareWithLog({ database, archived, nowMs }: Compared, { file, log, db, tornBytes }: Opened): Comparison {
  if (log.last === TXID_NONE) return notBelieved('no log lies beside it to compare it with')
  const logged = positionsOf(log)
  const meta = new MetaReader(db).read()
  const reader = new WalReader(database)
  let gap: number | undefined
  const onGap = (found: { readonly logged: number }): void => void (gap = found.logged)
  try {
    const { capture, captured } = recover({ file, reader, log, meta, wallMs: () => nowMs, onGap })
    if (gap !== undefined)
      return notBelieved(
        `its log ends at transaction ${gap}, its pages at ${meta.txid}: no record shows what is between`,
      )
    const pages = { epoch: meta.epoch, txid: meta.txid, checksum: capture.checksums.checksum }
    return comparePrimary({ pages, logged, captured, tornBytes }, archived)
  } finally {
    reader.close()
  }
}

function bytesIn(folder: string): number {
  const files = readdirSync(folder).filter((name) => name.endsWith(SEGMENTS_SUFFIX))
  return files.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
}

/** The positions that the log recorded. Throws log_corrupt. */
function positionsOf(log: SegmentLog): Position[] {
  const positions: Position[] = []
  for (let txid = log.first; txid <= log.last; txid = asTxid(txid + 1)) {
    const { epoch, maxTxid, postApply } = decodeHeader(log.read(txid))
    if (epoch !== undefined && postApply !== undefined) positions.push({ epoch, txid: maxTxid, checksum: postApply })
  }
  return positions
}
