/** Random pages and segments for the tests of this folder. */
import fc from 'fast-check'
import type { Checksum, Epoch, Txid } from '../../../shared/ids.ts'
import type { DatabasePage } from '../../../shared/ltx/database-pages.ts'
import type { SegmentFields } from '../../../shared/ltx/header.ts'
import { CHECKSUM_FLAG, EMPTY_CHECKSUM } from '../../../shared/ltx/rolling-checksum.ts'

export const PAGE_SIZE = 512

export const FIELDS: SegmentFields = {
  pageSize: PAGE_SIZE,
  commit: 3,
  minTxid: 5 as Txid,
  maxTxid: 5 as Txid,
  timestampMs: 1_700_000_000_123,
  walOffset: 32,
  walSize: 536,
  walSalt1: 0x11223344,
  walSalt2: 0x55667788,
  nodeId: 0n,
  epoch: 7 as Epoch,
  preApply: 0x8123456789abcdefn as Checksum,
  postApply: 0xfedcba9876543210n as Checksum,
}

/** A page as databases have them: noise, zeros, and stretches that occurred before. */
export const pageArbitrary: fc.Arbitrary<Buffer> = fc
  .array(
    fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 300 }),
      fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 1, max: PAGE_SIZE })),
    ),
    { minLength: 1, maxLength: 12 },
  )
  .map((stretches) => {
    const page = Buffer.alloc(PAGE_SIZE)
    let at = 0
    for (let turn = 0; at < PAGE_SIZE; turn += 1) {
      const stretch = stretches[turn % stretches.length]!
      const bytes = Array.isArray(stretch) ? Buffer.alloc(stretch[1], stretch[0]) : Buffer.from(stretch)
      at += bytes.copy(page, at)
    }
    return page
  })

const checksumArbitrary = fc
  .bigInt({ min: 0n, max: CHECKSUM_FLAG - 1n })
  .map((bits) => (bits | CHECKSUM_FLAG) as Checksum)
const u32Arbitrary = fc.integer({ min: 0, max: 0xffffffff })

const originArbitrary: fc.Arbitrary<Pick<SegmentFields, 'epoch' | 'preApply' | 'postApply'>> = fc.oneof(
  fc.constant({ epoch: undefined, preApply: undefined, postApply: undefined }),
  fc.record({ epoch: u32Arbitrary.map((n) => n as Epoch), preApply: checksumArbitrary, postApply: checksumArbitrary }),
)

const walArbitrary: fc.Arbitrary<Pick<SegmentFields, 'walOffset' | 'walSize' | 'walSalt1' | 'walSalt2'>> = fc.oneof(
  fc.constant({ walOffset: 0, walSize: 0, walSalt1: 0, walSalt2: 0 }),
  fc.record({
    walOffset: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    walSize: fc.maxSafeNat(),
    walSalt1: u32Arbitrary,
    walSalt2: u32Arbitrary,
  }),
)

export interface SegmentInput {
  readonly fields: SegmentFields
  readonly pages: readonly DatabasePage[]
}

/** Any segment that may exist: gaps, none of the pages, shrunk to nothing, and snapshots. */
export const segmentArbitrary: fc.Arbitrary<SegmentInput> = fc
  .record({
    origin: originArbitrary,
    wal: walArbitrary,
    minTxid: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })),
    span: fc.oneof(fc.constant(0), fc.nat(1_000_000)),
    timestampMs: fc.maxSafeNat(),
    nodeId: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    pages: fc.uniqueArray(fc.record({ pgno: fc.integer({ min: 1, max: 4_000_000 }), data: pageArbitrary }), {
      selector: ({ pgno }) => pgno,
      maxLength: 6,
    }),
    beyond: fc.oneof(fc.constant(0), fc.nat(1000)),
  })
  .map(({ origin, wal, minTxid, span, timestampMs, nodeId, pages, beyond }) => {
    const snapshot = minTxid === 1
    const numbered = snapshot
      ? pages.map(({ data }, index) => ({ pgno: index + 1, data }))
      : pages.toSorted((a, b) => a.pgno - b.pgno).filter(({ pgno }) => pgno !== LOCK_PAGE)
    const commit = (numbered.at(-1)?.pgno ?? 0) + (snapshot ? 0 : beyond)
    const fields: SegmentFields = {
      pageSize: PAGE_SIZE,
      commit,
      minTxid: minTxid as Txid,
      maxTxid: Math.min(minTxid + span, Number.MAX_SAFE_INTEGER) as Txid,
      timestampMs,
      nodeId,
      ...wal,
      ...origin,
      ...(origin.epoch !== undefined && snapshot ? { preApply: EMPTY_CHECKSUM } : {}),
      ...(origin.epoch !== undefined && commit === 0 ? { postApply: EMPTY_CHECKSUM } : {}),
    }
    return { fields, pages: numbered }
  })

/** Of a database with pages of 512 bytes. */
export const LOCK_PAGE = 2_097_153
