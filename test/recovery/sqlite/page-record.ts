/** A minimal log of transactions for the kill tests: what a node ships, without its format. Torn tails are cut on reading. */
import { crc32 } from 'node:zlib'
import { PAGE_BYTES } from '../../../shared/limits.ts'
import type { PageImage } from '../../../shared/sqlite/wal-format.ts'
import type { WalTransaction } from '../../../shared/sqlite/wal-reader.ts'

export interface PageRecord {
  readonly txid: number
  readonly salt1: number
  readonly salt2: number
  readonly endFrame: number
  readonly commitPages: number
  readonly pages: readonly PageImage[]
}

const FIXED_WORDS = 7

export function encodeRecord(txid: number, transaction: WalTransaction): Buffer {
  const { salt1, salt2, endFrame, commitPages, pages } = transaction
  const words = [txid, salt1, salt2, endFrame, commitPages, pages.length, ...pages.map(({ pgno }) => pgno)]
  const head = Buffer.alloc((words.length + 1) * 4)
  words.forEach((word, index) => head.writeUInt32LE(word, (index + 1) * 4))
  const body = Buffer.concat([head.subarray(4), ...pages.map(({ data }) => data)])
  head.writeUInt32LE(crc32(body), 0)
  return Buffer.concat([head.subarray(0, 4), body])
}

/** All whole records, and where they end. */
export function decodeRecords(bytes: Buffer): { records: PageRecord[]; end: number } {
  const records: PageRecord[] = []
  let end = 0
  while (end + FIXED_WORDS * 4 <= bytes.length) {
    const word = (index: number): number => bytes.readUInt32LE(end + index * 4)
    const count = word(6)
    const pagesAt = end + (FIXED_WORDS + count) * 4
    const next = pagesAt + count * PAGE_BYTES
    if (next > bytes.length || crc32(bytes.subarray(end + 4, next)) !== word(0)) break
    const pages = Array.from({ length: count }, (_, index) => ({
      pgno: word(FIXED_WORDS + index),
      data: bytes.subarray(pagesAt + index * PAGE_BYTES, pagesAt + (index + 1) * PAGE_BYTES),
    }))
    records.push({ txid: word(1), salt1: word(2), salt2: word(3), endFrame: word(4), commitPages: word(5), pages })
    end = next
  }
  return { records, end }
}
