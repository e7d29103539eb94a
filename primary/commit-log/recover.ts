/**
 * Brings the segment log up to date at start: captures the transactions that SQLite's WAL holds and the log lacks, before
 * anything new is written. So a committed transaction is never missing from the log. Committed means what SQLite takes for
 * committed. It also computes the checksum of the database.
 */
import { NO_BACKUP, REPAIR_HINT } from '../../shared/repair-hint.ts'
import type { Meta } from '../../shared/database/meta.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { checksumText, txid as asTxid, TXID_NONE, txidText, type Txid } from '../../shared/ids.ts'
import { PAGE_BYTES } from '../../shared/limits.ts'
import { decodeHeader, type SegmentHeader } from '../../shared/ltx/header.ts'
import { PageChecksums } from '../../shared/ltx/rolling-checksum.ts'
import type { DatabaseFile } from '../../shared/sqlite/database-file.ts'
import { frameOffset } from '../../shared/sqlite/wal-format.ts'
import { WalReader, type WalPosition, type WalTransaction } from '../../shared/sqlite/wal-reader.ts'
import { Capture } from './capture.ts'
import type { SegmentLog } from './segment-log.ts'

export interface RecoverOptions {
  readonly file: DatabaseFile
  readonly reader: WalReader
  readonly log: SegmentLog
  readonly meta: Meta
  /** Names the folder that a log is set aside in. */
  readonly wallMs: () => number
  /** Called if the log lacks transactions that the WAL no longer holds. */
  readonly onGap: (gap: { readonly logged: Txid; readonly movedTo: string }) => void
}

export interface Recovered {
  readonly capture: Capture
  /** Number of transactions that were committed earlier and logged now. */
  readonly captured: number
}

/**
 * If the log ends too early to be continued, it is set aside and a new one begins; replicas then get a snapshot. Throws:
 *
 * | code | if |
 * |---|---|
 * | position_diverged | the database is older than its log |
 * | database_corrupt | the pages have another checksum than the log |
 * | foreign_write | the WAL holds a transaction of another program |
 */
export function recover(options: RecoverOptions): Recovered {
  const { file, reader, log, meta } = options
  const committed = committedIn(file)
  reader.limit(committed)
  const newest = newestLogged(options, committed)
  const capture = new Capture(checksumsOfFile(file), meta.epoch, newest?.timestampMs ?? 0)
  let captured = 0
  for (const transaction of transactionsOf(reader)) {
    if (newest === undefined || isLogged(transaction, newest)) {
      capture.follow(transaction)
      continue
    }
    if (captured === 0) requireSame(capture, newest)
    const txid = asTxid(log.last + 1)
    log.append(txid, capture.encode(transaction, txid, meta.issueClockMs).bytes)
    captured += 1
  }
  reader.limit(undefined)
  if (newest !== undefined && captured === 0) requireSame(capture, newest)
  return { capture, captured }
}

/** Header of the newest logged segment, if the WAL continues it without a gap; undefined if the log begins anew. */
function newestLogged(
  { file, log, meta, wallMs, onGap }: RecoverOptions,
  committed: WalPosition,
): SegmentHeader | undefined {
  if (log.last === TXID_NONE) return undefined
  const newest = decodeHeader(log.read(log.last))
  if (newest.maxTxid > meta.txid) throw olderThanLog(meta, newest)
  const unlogged = countUnlogged(file.path, newest, committed)
  const reached = newest.maxTxid + unlogged
  if (reached === meta.txid) return newest
  // Each transaction of a primary raises the number, so one of these is another program's.
  if (reached > meta.txid) throw foreignWrite(unlogged, newest, meta)
  // Either the log is an older copy; or another program opened the database after a crash, and SQLite then deleted the WAL.
  onGap({ logged: newest.maxTxid, movedTo: log.setAside(wallMs()) })
  return undefined
}

/** The end of the WAL as SQLite sees it: what its connections read, and where the next commit goes. */
function committedIn({ walIndex }: DatabaseFile): WalPosition {
  const { salt1, salt2, lastFrame } = walIndex.readHeader()
  return { salt1, salt2, frame: lastFrame }
}

function countUnlogged(database: string, newest: SegmentHeader, committed: WalPosition): number {
  const reader = new WalReader(database)
  reader.limit(committed)
  let count = 0
  for (const transaction of transactionsOf(reader)) count += isLogged(transaction, newest) ? 0 : 1
  reader.close()
  return count
}

/** Use each transaction before the next: its pages live in the reader's buffer. */
export function* transactionsOf(reader: WalReader): Generator<WalTransaction> {
  for (let batch = reader.poll(); batch.length > 0; batch = reader.poll()) yield* batch
}

/** Checksums of the database file alone. The transactions of the WAL are applied on top. */
export function checksumsOfFile(file: DatabaseFile): PageChecksums {
  const checksums = new PageChecksums(PAGE_BYTES)
  const page = Buffer.alloc(PAGE_BYTES)
  for (let pgno = 1; pgno <= file.pageCount; pgno += 1) {
    file.readPage(pgno, page)
    checksums.set(pgno, page)
  }
  return checksums
}

/** True if the log holds this transaction. A segment records its place in the WAL, and the salts identify the WAL's round. */
export function isLogged({ salt1, salt2, endFrame }: WalTransaction, newest: SegmentHeader): boolean {
  const sameRound = salt1 === newest.walSalt1 && salt2 === newest.walSalt2
  return sameRound && frameOffset(endFrame + 1) <= newest.walOffset + newest.walSize
}

function requireSame(capture: Capture, newest: SegmentHeader): void {
  const found = capture.checksums.checksum
  if (found === newest.postApply) return
  throw new MacaroondError(
    'database_corrupt',
    `the database's pages give checksum ${checksumText(found)}, its log says ${newest.postApply === undefined ? 'none' : checksumText(newest.postApply)} after transaction ${newest.maxTxid}`,
    { hint: `the file was changed or damaged outside macaroond (${NO_BACKUP}): ${REPAIR_HINT}` },
  )
}

function foreignWrite(unlogged: number, { maxTxid }: SegmentHeader, meta: Meta): MacaroondError {
  return new MacaroondError(
    'foreign_write',
    `another program wrote this database: its WAL has ${unlogged} transactions after ${maxTxid}, but its number is ${meta.txid}`,
    { hint: `only the primary may write its database: find the other writer. Then ${REPAIR_HINT}` },
  )
}

function olderThanLog(meta: Meta, newest: SegmentHeader): MacaroondError {
  return new MacaroondError(
    'position_diverged',
    `the database is at transaction ${txidText(meta.txid)}, its own log at ${txidText(newest.maxTxid)}: the database was put back to an older copy`,
    {
      hint: `put the newer database back: without it the same numbers would go to other transactions. If it is lost, ${REPAIR_HINT}`,
    },
  )
}
