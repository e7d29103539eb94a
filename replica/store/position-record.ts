/**
 * The record of positions: the checksum of the copy after each transaction, written before the transaction becomes visible. At
 * start the pages must give the checksum that is recorded for their transaction; otherwise the copy is damaged.
 *
 * | offset | size | field |
 * |---|---|---|
 * | 0 | 4 | epoch |
 * | 4 | 8 | txid |
 * | 12 | 8 | checksum |
 * | 20 | 16 | timeline |
 * | 36 | 4 | CRC-32 of the bytes before |
 *
 * Integers are big endian. Records follow each other without gaps. A record with a wrong CRC is the torn end that a crash left,
 * and is ignored. A record whose transaction never became visible is harmless: only the transaction of the pages is looked up.
 */
import { closeSync, openSync, readFileSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { checksum, epoch, timeline, txid, type Epoch, type Txid } from '../../shared/ids.ts'
import { readUint64, writeUint64 } from '../../shared/ltx/uint64.ts'
import { syncDirectory, syncFile, writeAt } from '../../shared/files/positional-io.ts'
import type { AppliedState } from '../follower/core.ts'

const TXID_OFFSET = 4
const CRC_OFFSET = 36
const RECORD_BYTES = CRC_OFFSET + 4
/** Above this size the older half is dropped. A restore needs the newer half, which reaches back to the signed position. */
const FILE_BYTES_MAX = RECORD_BYTES * 8_192
const RECORDS_KEPT = 4_096

export class PositionRecord {
  readonly #path: string
  #fd: number
  #bytes: number

  constructor(path: string) {
    this.#path = path
    this.#fd = openSync(path, 'a', 0o600)
    const records = readAppliedStates(path)
    // The file is rewritten with whole records, because appending after a torn one would misalign all later ones.
    this.#bytes = this.#rewrite(records)
  }

  /** The newest record of a transaction; undefined if there is none. */
  find(atEpoch: Epoch, atTxid: Txid): AppliedState | undefined {
    return readAppliedStates(this.#path).findLast(
      ({ position }) => position.epoch === atEpoch && position.txid === atTxid,
    )
  }

  /** The record that was written last; undefined if there is none. */
  newest(): AppliedState | undefined {
    return readAppliedStates(this.#path).at(-1)
  }

  append(applied: AppliedState): void {
    if (this.#bytes >= FILE_BYTES_MAX) this.#bytes = this.#rewrite(readAppliedStates(this.#path).slice(-RECORDS_KEPT))
    // Written at an offset, so that the next record overwrites one that a full disk cut short.
    writeAt(this.#fd, encode(applied), 0, RECORD_BYTES, this.#bytes)
    this.#bytes += RECORD_BYTES
  }

  sync(): void {
    syncFile(this.#fd, this.#path)
  }

  close(): void {
    closeSync(this.#fd)
  }

  #rewrite(states: readonly AppliedState[]): number {
    const temporary = `${this.#path}.tmp`
    const fd = openSync(temporary, 'w', 0o600)
    const bytes = Buffer.concat(states.map(encode))
    try {
      writeAt(fd, bytes, 0, bytes.length, 0)
      syncFile(fd, temporary)
      renameSync(temporary, this.#path)
      syncDirectory(dirname(this.#path))
    } catch (error) {
      closeSync(fd)
      throw error
    }
    closeSync(this.#fd)
    this.#fd = fd
    return bytes.length
  }
}

/** All whole records, in the order in which they were written. */
export function readAppliedStates(path: string): AppliedState[] {
  const bytes = readFileSync(path)
  const states: AppliedState[] = []
  for (let start = 0; start + RECORD_BYTES <= bytes.length; start += RECORD_BYTES) {
    const applied = decode(bytes.subarray(start, start + RECORD_BYTES))
    if (applied !== undefined) states.push(applied)
  }
  return states
}

function encode({ position, timeline: line }: AppliedState): Buffer {
  const record = Buffer.allocUnsafe(RECORD_BYTES)
  record.writeUInt32BE(position.epoch, 0)
  writeUint64(record, position.txid, TXID_OFFSET)
  record.writeBigUInt64BE(position.checksum, 12)
  record.write(line, 20, 'hex')
  record.writeUInt32BE(crc32(record.subarray(0, CRC_OFFSET)), CRC_OFFSET)
  return record
}

function decode(record: Buffer): AppliedState | undefined {
  if (crc32(record.subarray(0, CRC_OFFSET)) !== record.readUInt32BE(CRC_OFFSET)) return undefined
  const number = readUint64(record, TXID_OFFSET)
  if (!Number.isSafeInteger(number)) return undefined
  return {
    position: {
      epoch: epoch(record.readUInt32BE(0)),
      txid: txid(number),
      checksum: checksum(record.readBigUInt64BE(12)),
    },
    timeline: timeline(record.toString('hex', 20, CRC_OFFSET)),
  }
}
