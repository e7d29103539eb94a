/** Names of segment files: `<min>-<max>.ltx`, each txid as 16 lowercase hex digits, so that names sort by txid. */
import { assert } from '../errors.ts'
import { type Txid, txidText } from '../ids.ts'

/** The transactions that a segment covers, both ends included. */
export interface TxidRange {
  readonly minTxid: Txid
  readonly maxTxid: Txid
}

const SEGMENT_FILE = /^([0-9a-f]{16})-([0-9a-f]{16})\.ltx$/

export function segmentFileName({ minTxid, maxTxid }: TxidRange): string {
  assert(minTxid >= 1 && minTxid <= maxTxid, 'a segment covers at least one transaction')
  return `${txidText(minTxid)}-${txidText(maxTxid)}.ltx`
}

/** Returns undefined if `name` is not the name of a segment, because a directory may hold other files. */
export function parseSegmentFileName(name: string): TxidRange | undefined {
  const [, min, max] = SEGMENT_FILE.exec(name) ?? []
  if (min === undefined || max === undefined) return undefined
  const [minTxid, maxTxid] = [Number.parseInt(min, 16), Number.parseInt(max, 16)]
  if (minTxid < 1 || minTxid > maxTxid || !Number.isSafeInteger(maxTxid)) return undefined
  return { minTxid: minTxid as Txid, maxTxid: maxTxid as Txid }
}
