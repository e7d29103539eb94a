/**
 * Brings the segment log up to date at start: captures the transactions that SQLite's WAL holds and the log lacks, before
 * anything new is written. So the log never lacks a transaction that SQLite regards as committed. It also computes the
 * checksum of the database.
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
  /** Time for the name of the folder that a log is set aside in. */
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
  const committed = committedEnd(file)
  reader.limit(committed)
  const newest = newestLogged(options, committed)
  const capture = new Capture(checksumsOfFile(file), meta.epoch, newest?.timestampMs ?? 0)
  let captured = 0
  for (const transaction of transactionsOf(reader)) {
    if (newest === undefined || isLogged(transaction, newest)) {
      capture.applyLogged(transaction)
      continue
    }
    if (captured === 0) requireSameChecksum(capture, newest)
    const txid = asTxid(log.last + 1)
    log.append(txid, capture.encode(transaction, txid, meta.issueClockMs).bytes)
    captured += 1
  }
  reader.limit(undefined)
  if (newest !== undefined && captured === 0) requireSameChecksum(capture, newest)
  return { capture, captured }
}

/**
 * Header of the newest logged segment. Undefined if the log is empty, or was set aside because the WAL does not continue it.
 */
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
  // Each transaction of a primary raises `meta.txid`, so another program wrote one of these.
  if (reached > meta.txid) throw foreignWrite(unlogged, newest, meta)
  // The log may be an older copy. Or another program opened the database after a crash, and SQLite deleted the WAL when it
  // closed it.
  onGap({ logged: newest.maxTxid, movedTo: log.setAside(wallMs()) })
  return undefined
}

/** The end of the WAL as SQLite sees it: what its connections read, and where the next commit goes. */
function committedEnd({ walIndex }: DatabaseFile): WalPosition {
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

/** Use each transaction before you take the next, because its pages are in the reader's buffer. */
export function* transactionsOf(reader: WalReader): Generator<WalTransaction> {
  for (let batch = reader.poll(); batch.length > 0; batch = reader.poll()) yield* batch
}

/** Checksums of the database file alone, to which the caller applies the transactions of the WAL. */
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

function requireSameChecksum(capture: Capture, newest: SegmentHeader): void {
  const found = capture.checksums.checksum
  if (found === newest.postApply) return
  throw new MacaroondError(
    'database_corrupt',
    `the database's pages give checksum ${checksumText(found)}, and its log says ${newest.postApply === undefined ? 'none' : checksumText(newest.postApply)} after transaction ${newest.maxTxid}`,
    { hint: `the file was changed or damaged outside macaroond (${NO_BACKUP}): ${REPAIR_HINT}` },
  )
}

function foreignWrite(unlogged: number, { maxTxid }: SegmentHeader, meta: Meta): MacaroondError {
  return new MacaroondError(
    'foreign_write',
    `another program wrote this database: its WAL has ${unlogged} transactions after ${maxTxid}, but the database counts to ${meta.txid}`,
    { hint: `only the primary may write its database: find the other writer. Then ${REPAIR_HINT}` },
  )
}

function olderThanLog(meta: Meta, newest: SegmentHeader): MacaroondError {
  return new MacaroondError(
    'position_diverged',
    `the database is at transaction ${txidText(meta.txid)} and its own log at ${txidText(newest.maxTxid)}: the database was put back to an older copy`,
    {
      hint: `put the newer database back, because this one would give the same numbers to other transactions. If it is lost, ${REPAIR_HINT}`,
    },
  )
}
