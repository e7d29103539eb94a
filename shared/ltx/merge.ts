/**
 * Merges segments that follow each other into one: of each page the last image, and none beyond the last size. It keeps the
 * checksum before the first and after the last; segments of different epochs are never merged.
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

  /** One segment is always taken, whatever its size. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get isEmpty(): boolean {
    return this.#first === undefined
  }

  /** False, and nothing changes, when it does not follow, or more than is held in memory would come together. */
  add({ header, pages }: Segment): boolean {
    if (this.#last !== undefined && (!follows(this.#last, header) || !this.#hasRoom(pages.length, header))) return false
    const shrank = this.#last !== undefined && header.commit < this.#last.commit
    this.#first ??= header
    this.#last = header
    for (const { pgno, data } of pages) this.#pages.set(pgno, data)
    // Where it grows again, its new pages are in the segment with which it grows.
    if (shrank) for (const pgno of this.#pages.keys()) if (pgno > header.commit) this.#pages.delete(pgno)
    return true
  }

  /** What was added as one segment; begins anew. */
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
