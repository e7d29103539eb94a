/**
 * Reads as much as possible of the segment log of a damaged primary. Opening a log cuts off an incomplete record, and this
 * class also deletes damaged files, so it works on a copy.
 */
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { SegmentLog } from '../../primary/commit-log/segment-log.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { txid as asTxid, TXID_NONE, type Checksum, type Txid } from '../../shared/ids.ts'
import { decodeSegment, type Segment } from '../../shared/ltx/decoder.ts'
import { decodeHeader, type SegmentHeader } from '../../shared/ltx/header.ts'
import type { Position } from '../../shared/position.ts'

/** A log that may have gaps. A gap costs nothing if another source has its pages: the checksums decide. */
export class DamagedLog {
  /** Header of the newest whole transaction; undefined if there is none. */
  readonly newest: SegmentHeader | undefined
  readonly first: Txid
  /** The damage, in words. */
  readonly remarks: readonly string[]
  readonly #log: SegmentLog
  readonly #headers = new Map<Txid, SegmentHeader>()

  private constructor(log: SegmentLog, remarks: readonly string[]) {
    // The headers stay in memory. The pages are read again when they are needed, because a log may be larger than memory.
    const unreadable: Txid[] = []
    for (let txid = log.first; log.last !== TXID_NONE && txid <= log.last; txid = asTxid(txid + 1)) {
      const header = readable(() => decodeHeader(log.read(txid)))
      if (header === undefined) unreadable.push(txid)
      else this.#headers.set(txid, header)
    }
    this.#log = log
    this.first = log.first
    this.newest = [...this.#headers.values()].at(-1)
    const damage =
      unreadable.length === 0 ? [] : [`its log has damaged records, of transactions ${rangeText(unreadable)}`]
    this.remarks = [...remarks, ...damage]
  }

  /** Drops the oldest files until the rest is a log. Throws log_corrupt if nothing is left that can be opened. */
  static open(folder: string): DamagedLog {
    const remarks: string[] = []
    const before = bytesIn(folder)
    for (;;) {
      const log = readable(() => SegmentLog.open(folder, Number.MAX_SAFE_INTEGER))
      if (log !== undefined) {
        const torn = before - bytesIn(folder)
        const cut =
          torn > 0 && remarks.length === 0
            ? [`its log ends as after a crash, with ${torn} bytes of an incomplete record`]
            : []
        return new DamagedLog(log, [...remarks, ...cut])
      }
      // Opening failed because of the oldest file. The files after it may still be a log without a gap.
      const [oldest] = filesIn(folder)
      if (oldest === undefined) throw new MacaroondError('log_corrupt', `${folder} cannot be read`)
      rmSync(join(folder, oldest))
      remarks.push(`${oldest} of its log is damaged, or the file after it is missing`)
    }
  }

  /** Checksum after a transaction; undefined if the log does not have that transaction whole. */
  checksumAt({ epoch, txid }: Pick<Position, 'epoch' | 'txid'>): Checksum | undefined {
    const header = this.#headers.get(txid)
    return header?.epoch === epoch ? header.postApply : undefined
  }

  /** All whole transactions from `from` on, in order. */
  *segments(from: Txid): Generator<Segment> {
    for (const txid of this.#headers.keys()) {
      const segment = txid < from ? undefined : readable(() => decodeSegment(this.#log.read(txid)))
      if (segment !== undefined) yield segment
    }
  }

  close(): void {
    this.#log.close()
  }
}

/** The result of `read`; undefined if the bytes are damaged. Throws any other error. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof MacaroondError && DAMAGE.has(error.code)) return undefined
    throw error
  }
}

/** Errors that mean damaged bytes. Any other error is of the disk or a bug, and must not pass as damage. */
const DAMAGE: ReadonlySet<string> = new Set(['log_corrupt', 'segment_corrupt'])

function filesIn(folder: string): readonly string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => name.endsWith('.segments'))
    .toSorted()
}

function bytesIn(folder: string): number {
  return filesIn(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
}

/** The first and the last are enough for an operator; a damaged file may have thousands in between. */
function rangeText(txids: readonly Txid[]): string {
  return txids.length === 1 ? String(txids[0]) : `${txids[0]} to ${txids.at(-1)}`
}
