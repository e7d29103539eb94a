/** The LTX header of a snapshot. */
import { txid as asTxid } from '../../shared/ids.ts'
import { PAGE_BYTES } from '../../shared/limits.ts'
import type { SegmentFields } from '../../shared/ltx/header.ts'
import { EMPTY_CHECKSUM } from '../../shared/ltx/rolling-checksum.ts'
import type { Position } from '../../shared/position.ts'

/** `pages`: size of the database at `position`. A snapshot starts from an empty database and names no place in a WAL. */
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
