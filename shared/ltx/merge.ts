/**
 * Merges consecutive segments into one, for the archive's levels. The result has the last image of each page, without pages
 * beyond the last size, the checksum before the first segment and the checksum after the last. Segments of different epochs are
 * never merged.
 */
import { assert } from '../errors.ts'
import type { DatabasePage } from './database-pages.ts'
import type { Segment } from './decoder.ts'
import { FLAG_NO_CHECKSUM, type SegmentFields } from './header.ts'

export class SegmentMerger {
  readonly #bytesMax: number
  readonly #pages = new Map<number, Buffer>()
  #first: SegmentFields | undefined
  #last: SegmentFields | undefined

  /** `bytesMax` limits the pages in memory. The first segment is always taken. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get isEmpty(): boolean {
    return this.#first === undefined
  }

  /** Returns false, and changes nothing, if the segment does not follow the last one or the limit would be exceeded. */
  add({ header, pages }: Segment): boolean {
    if (this.#last !== undefined && (!follows(this.#last, header) || !this.#hasRoom(pages.length, header))) return false
    const shrank = this.#last !== undefined && header.commit < this.#last.commit
    this.#first ??= header
    this.#last = header
    for (const { pgno, data } of pages) this.#pages.set(pgno, data)
    // If the database grows again, the segment that grows it contains the new pages.
    if (shrank) for (const pgno of this.#pages.keys()) if (pgno > header.commit) this.#pages.delete(pgno)
    return true
  }

  /** Returns everything added as one segment, and starts over. */
  take(): Segment {
    const [first, last] = [this.#first, this.#last]
    assert(first !== undefined && last !== undefined, 'something was added')
    const pages = [...this.#pages]
      .map(([pgno, data]): DatabasePage => ({ pgno, data }))
      .toSorted((a, b) => a.pgno - b.pgno)
    const known = first.preApply !== undefined && last.postApply !== undefined
    const origin = known
      ? { epoch: last.epoch, preApply: first.preApply, postApply: last.postApply }
      : { epoch: undefined, preApply: undefined, postApply: undefined }
    const { pageSize, commit, maxTxid, timestampMs } = last
    const place = { walOffset: 0, walSize: 0, walSalt1: 0, walSalt2: 0, nodeId: 0n, flags: FLAG_NO_CHECKSUM }
    const { minTxid } = first
    this.#pages.clear()
    this.#first = undefined
    this.#last = undefined
    return { header: { pageSize, commit, minTxid, maxTxid, timestampMs, ...place, ...origin }, pages }
  }

  #hasRoom(more: number, { pageSize }: SegmentFields): boolean {
    return (this.#pages.size + more) * pageSize <= this.#bytesMax
  }
}

function follows(before: SegmentFields, next: SegmentFields): boolean {
  return next.minTxid === before.maxTxid + 1 && next.epoch === before.epoch && next.pageSize === before.pageSize
}
