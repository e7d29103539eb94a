/**
 * Encodes a transaction from SQLite's WAL as the LTX segment that is logged and shipped. It maintains the checksum of the whole
 * database, so each segment carries the checksum before and after its transaction.
 */
import type { Epoch, Txid } from '../../shared/ids.ts'
import { encodeSegment } from '../../shared/ltx/encoder.ts'
import { lockPage, type DatabasePage } from '../../shared/ltx/database-pages.ts'
import { EMPTY_CHECKSUM, type PageChecksums } from '../../shared/ltx/rolling-checksum.ts'
import type { WalTransaction } from '../../shared/sqlite/wal-reader.ts'
import { frameOffset } from '../../shared/sqlite/wal-format.ts'
import { PAGE_BYTES } from '../../shared/limits.ts'
import type { Position } from '../../shared/position.ts'

/** The form in which a committed transaction is logged and shipped. */
export interface CommittedSegment {
  readonly position: Position
  /** The LTX file. */
  readonly bytes: Buffer
  /** Last frame of the transaction in the WAL. The checkpointer must not reset a WAL with frames that are not logged. */
  readonly endFrame: number
}

const FIRST_TXID = 1
const ZERO_PAGE = Buffer.alloc(PAGE_BYTES)

export class Capture {
  readonly #checksums: PageChecksums
  readonly #epoch: Epoch
  #lastTimestampMs: number

  /** `checksums`: of the database as it is before the next transaction. `lastTimestampMs`: timestamp of the newest segment. */
  constructor(checksums: PageChecksums, epoch: Epoch, lastTimestampMs: number) {
    this.#checksums = checksums
    this.#epoch = epoch
    this.#lastTimestampMs = lastTimestampMs
  }

  get checksums(): PageChecksums {
    return this.#checksums
  }

  /** Updates the checksums for a transaction that is in the log already. */
  applyLogged(transaction: WalTransaction): void {
    this.#checksums.apply(this.#checksums.preview(this.#withGrowth(transaction), transaction.commitPages))
  }

  /** Encodes a new transaction, and updates the checksums. */
  encode(transaction: WalTransaction, txid: Txid, nowMs: number): CommittedSegment {
    const { commitPages, startFrame, endFrame, salt1, salt2 } = transaction
    const pages = this.#withGrowth(transaction)
    // Transaction 1 holds every page, so LTX v3 makes it a snapshot: it starts from an empty database.
    const preApply = txid === FIRST_TXID ? EMPTY_CHECKSUM : this.#checksums.checksum
    const change = this.#checksums.preview(pages, commitPages)
    const position: Position = { epoch: this.#epoch, txid, checksum: this.#checksums.apply(change) }
    // Timestamps never decrease, because a restore to a point in time chooses files by them.
    this.#lastTimestampMs = Math.max(this.#lastTimestampMs, nowMs)
    const bytes = encodeSegment(
      {
        pageSize: PAGE_BYTES,
        commit: commitPages,
        minTxid: txid,
        maxTxid: txid,
        timestampMs: this.#lastTimestampMs,
        walOffset: frameOffset(startFrame),
        walSize: frameOffset(endFrame + 1) - frameOffset(startFrame),
        walSalt1: salt1,
        walSalt2: salt2,
        nodeId: 0n,
        epoch: this.#epoch,
        preApply,
        postApply: position.checksum,
      },
      pages,
    )
    return { position, bytes, endFrame }
  }

  /**
   * SQLite writes no frame for a page that one transaction allocates and frees again. The database still grows by that page,
   * which reads as zeros. The segment must hold it, or the copy's size and checksum would differ.
   */
  #withGrowth({ pages, commitPages }: WalTransaction): readonly DatabasePage[] {
    const had = this.#checksums.pageCount
    const fresh = pages.length - lowerBound(pages, had + 1)
    const lock = lockPage(PAGE_BYTES)
    const grown = commitPages - had - (lock > had && lock <= commitPages ? 1 : 0)
    if (grown <= fresh) return pages
    const complete = new Map(pages.map((page) => [page.pgno, page]))
    for (let pgno = had + 1; pgno <= commitPages; pgno += 1) {
      if (pgno !== lock && !complete.has(pgno)) complete.set(pgno, { pgno, data: ZERO_PAGE })
    }
    return [...complete.values()].toSorted((a, b) => a.pgno - b.pgno)
  }
}

/** Index of the first page numbered `pgno` or higher; pages ascend. */
function lowerBound(pages: readonly DatabasePage[], pgno: number): number {
  const index = pages.findIndex((page) => page.pgno >= pgno)
  return index < 0 ? pages.length : index
}
