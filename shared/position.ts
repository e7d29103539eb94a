/** The position of a database: epoch and number of its newest transaction, and the checksum of all its pages. */
import type { Checksum, Epoch, Txid } from './ids.ts'
import { checksumText, epoch, EPOCH_MAX, parseChecksum, parseTxid, txidText } from './ids.ts'
import { MacaroondError } from './errors.ts'

export interface Position {
  readonly epoch: Epoch
  readonly txid: Txid
  /** Rolling checksum of the whole database after `txid` (LTX specification, "rolling checksum"). */
  readonly checksum: Checksum
}

const POSITION = /^(0|[1-9]\d{0,9})\.([0-9a-f]{16})\.([0-9a-f]{16})$/

/** Text form `<epoch>.<txid>.<checksum>`: decimal, then 16 hex digits twice. Answers carry it; `--min-position` takes it. */
export function positionText(position: Position): string {
  return `${position.epoch}.${txidText(position.txid)}.${checksumText(position.checksum)}`
}

/** Throws request_invalid. */
export function parsePosition(text: string): Position {
  const parts = POSITION.exec(text)
  if (parts === null) {
    throw new MacaroondError('request_invalid', `not a position: ${text.slice(0, 80)}`, {
      hint: 'a position is <epoch>.<txid>.<checksum>, as writes print it',
    })
  }
  return { epoch: epoch(Number(parts[1])), txid: parseTxid(parts[2] ?? ''), checksum: parseChecksum(parts[3] ?? '') }
}

/** True if `parsePosition` would accept the text. */
export function isPosition(text: string): boolean {
  const [, of, number = ''] = POSITION.exec(text) ?? []
  return of !== undefined && Number(of) <= EPOCH_MAX && Number.isSafeInteger(Number.parseInt(number, 16))
}

export function samePosition(a: Position, b: Position): boolean {
  return a.epoch === b.epoch && a.txid === b.txid && a.checksum === b.checksum
}

/** Orders positions in time: by epoch, then by txid. Checksums have no order. Negative if `a` is the older position. */
export function comparePositions(a: Position, b: Position): number {
  return a.epoch - b.epoch || a.txid - b.txid
}
