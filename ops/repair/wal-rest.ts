/**
 * Applies the primary's transactions that are in SQLite's WAL and, because of a power cut, not in the segment log. The WAL may
 * also contain commits of another program. Every commit of the primary raises `meta.txid` by one, and the primary acknowledges
 * nothing after a foreign commit, so the first commit that does not do so, and all after it, are left out.
 */
import { rmSync } from 'node:fs'
import { isLogged, transactionsOf } from '../../primary/commit-log/recover.ts'
import { isOfMacaroond, type Meta, MetaReader } from '../../shared/database/meta.ts'
import { type Checksum, txid as asTxid } from '../../shared/ids.ts'
import type { SegmentHeader } from '../../shared/ltx/header.ts'
import type { Position } from '../../shared/position.ts'
import { openReader } from '../../shared/sqlite/open-database.ts'
import { WalReader, type WalTransaction } from '../../shared/sqlite/wal-reader.ts'
import { PagesFile } from './pages-file.ts'

/** The result of applying the WAL to rebuilt pages. */
export interface WalRest {
  readonly position: Position
  /** Transactions that only the WAL had. */
  readonly applied: number
  /** Number of transactions from the first one of another program on. They are not applied. */
  readonly foreign: number
}

/** Applies the WAL's transactions up to the log's newest one, including those that the log no longer has. */
export function applyWalUpToLog(database: string, path: string, newest: SegmentHeader): void {
  const reader = new WalReader(database)
  try {
    editPages(path, (file) => {
      for (const transaction of transactionsOf(reader)) {
        if (isLogged(transaction, newest)) file.write(transaction.pages, transaction.commitPages)
      }
    })
  } finally {
    reader.close()
  }
}

/** Applies the rest of the WAL of `database` to `path`, which must have the pages of the log's newest transaction. */
export function applyWalRest(database: string, path: string, newest: SegmentHeader, position: Position): WalRest {
  const reader = new WalReader(database)
  const { epoch } = position
  let [txid, foreign] = [position.txid, 0]
  try {
    for (const transaction of transactionsOf(reader)) {
      if (isLogged(transaction, newest)) continue
      if (foreign === 0 && isNext(path, transaction, { epoch, txid })) txid = asTxid(txid + 1)
      else foreign += 1
    }
  } finally {
    reader.close()
  }
  const applied = txid - position.txid
  return { position: applied === 0 ? position : { epoch, txid, checksum: checksumOf(path) }, applied, foreign }
}

/** True if the transaction is the primary's next one. Otherwise the pages are restored to what they were. */
function isNext(
  path: string,
  { pages, commitPages }: WalTransaction,
  { epoch, txid }: Pick<Position, 'epoch' | 'txid'>,
): boolean {
  // The only proof is `meta` after the change, so apply it, look, and take it back if it is not the primary's.
  const { before, pageCount } = editPages(path, (file) => {
    const had = file.pageCount
    const cut = Array.from({ length: Math.max(0, had - commitPages) }, (_, at) => commitPages + 1 + at)
    const kept = file.read([...pages.map(({ pgno }) => pgno), ...cut])
    file.write(pages, commitPages)
    return { before: kept, pageCount: had }
  })
  const meta = metaOf(path)
  // SQLite made these when it read `meta`. They would belong to the next open of other pages.
  for (const suffix of ['-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
  if (meta?.epoch === epoch && meta.txid === txid + 1) return true
  editPages(path, (file) => file.write(before, pageCount))
  return false
}

function checksumOf(path: string): Checksum {
  return editPages(path, (file) => file.checksum())
}

/** Opens the file for one change and closes it again, because SQLite reads it between two changes. */
function editPages<T>(path: string, change: (file: PagesFile) => T): T {
  const file = new PagesFile(path)
  try {
    return change(file)
  } finally {
    file.close()
  }
}

/** The `meta` row; undefined if SQLite cannot read it, or the database is not one of macaroond. */
export function metaOf(path: string): Meta | undefined {
  try {
    const db = openReader(path)
    try {
      return isOfMacaroond(db) ? new MetaReader(db).read() : undefined
    } finally {
      db.close()
    }
  } catch {
    return undefined
  }
}
