/** Segments and snapshots, whole and in pieces. */
import { txid } from '../../../shared/ids.ts'
import { MERGE_BYTES_MAX, SEGMENT_PAGES_BYTES_MAX } from '../../../shared/limits.ts'
import type { DatabasePage } from '../../../shared/ltx/database-pages.ts'
import { decodeSegment, readBlocks, type Segment, SegmentDecoder } from '../../../shared/ltx/decoder.ts'
import { encodeSegment } from '../../../shared/ltx/encoder.ts'
import { encodeHeader, HEADER_BYTES, isSnapshot, type SegmentFields } from '../../../shared/ltx/header.ts'
import { SegmentMerger } from '../../../shared/ltx/merge.ts'
import { EMPTY_CHECKSUM, PageChecksums } from '../../../shared/ltx/rolling-checksum.ts'
import { mendSegment } from '../mend-segment.ts'
import { piecesOf } from '../pieces.ts'
import { FIELDS as OF_SEGMENT, PAGE_SIZE } from '../../shared/ltx/arbitraries.ts'
import { requireBytes, requireSame, type Target } from '../target.ts'

const FIELDS: SegmentFields = { ...OF_SEGMENT, commit: 9 }

/** As databases have them: a header, text, noise, zeros. */
export function page(pgno: number, pageSize: number = PAGE_SIZE): DatabasePage {
  const data = Buffer.alloc(pageSize)
  data.write(`page ${pgno} `.repeat(pgno % 9))
  for (let at = pageSize - 40 * (pgno % 3); at < pageSize; at += 1) data[at] = (at * at * 31 + pgno) % 251
  return { pgno, data }
}

function snapshotOf(pages: readonly DatabasePage[], pageSize: number): Buffer {
  const checksums = new PageChecksums(pageSize)
  for (const { pgno, data } of pages) checksums.set(pgno, data)
  const origin = { preApply: EMPTY_CHECKSUM, postApply: checksums.checksum }
  return encodeSegment({ ...FIELDS, ...origin, pageSize, commit: pages.length, minTxid: txid(1) }, pages)
}

/** Of one transaction, of several merged, of a whole database; and as litestream leaves what it does not know. */
const segments = (): readonly Buffer[] => [
  encodeSegment(FIELDS, [page(2), page(5), page(9)]),
  encodeSegment({ ...FIELDS, maxTxid: txid(8) }, [page(1)]),
  encodeSegment({ ...FIELDS, commit: 0, postApply: EMPTY_CHECKSUM }, []),
  encodeSegment(
    {
      ...FIELDS,
      walOffset: 0,
      walSize: 0,
      walSalt1: 0,
      walSalt2: 0,
      epoch: undefined,
      preApply: undefined,
      postApply: undefined,
    },
    [page(3)],
  ),
  snapshotOf([page(1), page(2), page(3)], PAGE_SIZE),
  snapshotOf([page(1, 4_096)], 4_096),
]

function runSegment(input: Buffer): string {
  const whole = endOf(() => decodeSegment(input))
  const parted = endOf(() => fromPieces(input))
  requireSame(wordsOf(parted.error), wordsOf(whole.error), 'other errors come out of other pieces')
  if (whole.error !== undefined) throw whole.error
  const { header, pages } = whole.segment!
  requireSame(numbersOf(parted.segment!), numbersOf({ header, pages }), 'other pages come out of other pieces')
  requirePromises(input, { header, pages })
  return `${isSnapshot(header) ? 'snapshot' : 'segment'}${header.epoch === undefined ? ', of others' : ''}`
}

function requirePromises(input: Buffer, segment: Segment): void {
  const { header, pages } = segment
  if (pages.length * header.pageSize > SEGMENT_PAGES_BYTES_MAX) throw new Error('pages beyond the limit')
  const again = Buffer.alloc(HEADER_BYTES)
  encodeHeader(header, again, 0)
  requireBytes(again, input.subarray(0, HEADER_BYTES), 'a second encoding of a header was accepted')
  // Another compressor may have made other blocks of the same pages.
  requireSame(numbersOf(decodeSegment(encodeSegment(header, pages))), numbersOf(segment), 'it reads differently again')
  let blocks = 0
  readBlocks(input, () => (blocks += 1))
  if (blocks !== pages.length) throw new Error('packed pages are others than unpacked ones')
  const merger = new SegmentMerger(MERGE_BYTES_MAX)
  merger.add(segment)
  requireSame(numbersOf(merger.take())[3], numbersOf(segment)[3], 'merged alone it has other pages')
}

function endOf(read: () => Segment): { readonly segment?: Segment; readonly error?: Error } {
  try {
    return { segment: read() }
  } catch (error) {
    return { error: error as Error }
  }
}

/** Where it is found wrong may be said more exactly in pieces. */
const wordsOf = (error: Error | undefined): string | undefined => error?.message.replaceAll(/\d+/g, '#')

function fromPieces(input: Buffer): Segment {
  const pages: DatabasePage[] = []
  const decoder = new SegmentDecoder((pgno, data) => void pages.push({ pgno, data }))
  for (const piece of piecesOf(input)) decoder.write(piece)
  return { header: decoder.finish(), pages }
}

function numbersOf({ header, pages }: Segment): readonly unknown[] {
  const { nodeId, preApply, postApply, ...rest } = header
  return [
    rest,
    String(nodeId),
    [preApply, postApply].map(String),
    pages.map(({ pgno, data }) => [pgno, data.toString('latin1')]),
  ]
}

export const LTX_TARGETS: readonly Target[] = [
  {
    name: 'segment',
    seeds: segments,
    run: runSegment,
    mend: mendSegment,
    codes: ['segment_corrupt'],
    reach: ['segment', 'segment, of others', 'snapshot', 'segment_corrupt'],
  },
]
