/** Writes the whole database as one LTX file: a snapshot for a replica or for the archive. */
import { systemClock, turn, type Timers } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { type Checksum, txid as asTxid } from '../../shared/ids.ts'
import { lockPage } from '../../shared/ltx/database-pages.ts'
import { SegmentEncoder } from '../../shared/ltx/encoder.ts'
import { EMPTY_CHECKSUM, PageChecksums } from '../../shared/ltx/rolling-checksum.ts'
import type { PageSource } from '../../shared/sqlite/page-source.ts'
import { writeAt } from '../../shared/files/positional-io.ts'
import { PAGE_BYTES } from '../../shared/limits.ts'
import type { SegmentFields } from '../../shared/ltx/header.ts'
import type { Position } from '../../shared/position.ts'

const PAGES_A_TURN = 64

export interface WriteOptions {
  readonly timers?: Timers
  readonly signal?: AbortSignal
}

/**
 * Yields to the event loop after every 64 pages: a gigabyte takes seconds, and commits continue meanwhile. Returns the
 * checksum of the pages that were read, and the caller compares it with the expected one. Throws closed once `signal` aborts.
 */
export async function writeSnapshot(
  view: PageSource,
  fields: SegmentFields,
  fd: number,
  { timers = systemClock, signal }: WriteOptions = {},
): Promise<Checksum> {
  const checksums = new PageChecksums(PAGE_BYTES)
  const encoder = new SegmentEncoder(fields)
  const page = Buffer.alloc(PAGE_BYTES)
  let written = append(fd, encoder.header(), 0)
  for (let pgno = 1; pgno <= view.pageCount; pgno += 1) {
    if (pgno === lockPage(PAGE_BYTES)) continue
    view.readPage(pgno, page)
    checksums.set(pgno, page)
    written = append(fd, encoder.page(pgno, page), written)
    if (pgno % PAGES_A_TURN !== 0) continue
    await turn(timers)
    if (signal?.aborted === true) throw new MacaroondError('closed', 'the snapshot was stopped before it was complete')
  }
  append(fd, encoder.finish(), written)
  return checksums.checksum
}

function append(fd: number, bytes: Buffer, at: number): number {
  writeAt(fd, bytes, 0, bytes.length, at)
  return at + bytes.length
}

/**
 * The LTX header of a snapshot. `pages`: size of the database at `position`. A snapshot starts from an empty database and names
 * no place in a WAL.
 */
export function snapshotFields(pages: number, position: Position, timestampMs: number): SegmentFields {
  return {
    pageSize: PAGE_BYTES,
    commit: pages,
    minTxid: asTxid(1),
    maxTxid: position.txid,
    timestampMs,
    walOffset: 0,
    walSize: 0,
    walSalt1: 0,
    walSalt2: 0,
    nodeId: 0n,
    epoch: position.epoch,
    preApply: EMPTY_CHECKSUM,
    postApply: position.checksum,
  }
}
