/** A snapshot as LTX pieces, read page by page from a pinned view: no copy in memory, whatever the database's size. */
import { PAGE_BYTES } from '../../shared/limits.ts'
import { txid as asTxid } from '../../shared/ids.ts'
import { lockPage } from '../../shared/ltx/database-pages.ts'
import { SegmentEncoder } from '../../shared/ltx/encoder.ts'
import type { SegmentFields } from '../../shared/ltx/header.ts'
import { EMPTY_CHECKSUM } from '../../shared/ltx/rolling-checksum.ts'
import type { Position } from '../../shared/position.ts'
import type { PageSource } from '../../shared/sqlite/page-source.ts'
import type { SnapshotSource } from './wal-session.ts'

export function snapshotOf(view: PageSource, position: Position, timestampMs: number): SnapshotSource {
  const fields: SegmentFields = {
    pageSize: PAGE_BYTES,
    commit: view.pageCount,
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
  return { position, pages: view.pageCount, pieces: () => encode(view, fields), close: () => view.release() }
}

function* encode(view: PageSource, fields: SegmentFields): Generator<Uint8Array> {
  const encoder = new SegmentEncoder(fields)
  const page = Buffer.alloc(PAGE_BYTES)
  yield encoder.header()
  for (let pgno = 1; pgno <= view.pageCount; pgno += 1) {
    if (pgno === lockPage(PAGE_BYTES)) continue
    view.readPage(pgno, page)
    yield encoder.page(pgno, page)
  }
  yield encoder.finish()
}
