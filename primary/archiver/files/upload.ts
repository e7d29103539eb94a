/** Uploads one round: the waiting transactions become files of level 0, and one entry of the manifest names all of them. */
import { LEVEL_COMMITTED } from '../../../shared/archive/layout.ts'
import type { ManifestWriter } from '../chain/manifest-writer.ts'
import { type ArchiveStorage, inParallel, requestsAtOnce } from '../../../shared/archive/storage.ts'
import { turn, type Timers } from '../../../shared/clock.ts'
import { assert } from '../../../shared/errors.ts'
import { txid as asTxid, type Txid } from '../../../shared/ids.ts'
import {
  ARCHIVE_REQUESTS_AT_ONCE,
  ARCHIVE_ROUND_BYTES_MAX,
  ARCHIVE_ROUND_SEGMENTS_MAX,
  COMPACTION_BYTES_MAX,
} from '../../../shared/limits.ts'
import { decodeSegment } from '../../../shared/ltx/decoder.ts'
import { encodeSegment } from '../../../shared/ltx/encoder.ts'
import { decodeHeader } from '../../../shared/ltx/header.ts'
import { SegmentMerger } from '../../../shared/ltx/merge.ts'
import type { CommittedHistory } from '../source.ts'
import { createFile, type Outgoing, outgoingOf } from './outgoing.ts'

export interface UploadOptions {
  readonly storage: ArchiveStorage
  readonly manifest: ManifestWriter
  readonly source: CommittedHistory
  /** True to merge the transactions into as few files as possible: fewer requests, but coarser steps to restore to. */
  readonly merge: boolean
  readonly timers: Timers
}

/** Returns the last transaction that it uploaded, which may not be the newest. Undefined if the log lacks the next one. */
export async function upload(options: UploadOptions, after: Txid): Promise<Txid | undefined> {
  const { storage, manifest, source, merge, timers } = options
  const segments = await waitingSegments(source, after, timers)
  const last = segments.at(-1)
  if (last === undefined) return undefined
  const outgoing = merge ? await merged(segments, timers) : segments.map((bytes) => outgoingOf(LEVEL_COMMITTED, bytes))
  const added = await inParallel(outgoing, requestsAtOnce(storage), (one) => createFile(storage, one))
  const { epoch, maxTxid, postApply } = decodeHeader(last)
  assert(epoch !== undefined && postApply !== undefined, 'a committed segment has an epoch and a checksum')
  const head = { epoch, txid: maxTxid, checksum: postApply }
  await manifest.append({ head, added, removed: [] })
  return maxTxid
}

/** The segments of one round, bounded in number and bytes. Yields to the event loop, so that commits go on meanwhile. */
async function waitingSegments(source: CommittedHistory, after: Txid, timers: Timers): Promise<readonly Buffer[]> {
  const segments: Buffer[] = []
  let bytes = 0
  while (segments.length < ARCHIVE_ROUND_SEGMENTS_MAX && bytes < ARCHIVE_ROUND_BYTES_MAX) {
    const txid = asTxid(after + segments.length + 1)
    const segment = txid > source.head.txid ? undefined : source.segment(txid)
    if (segment === undefined) break
    segments.push(segment)
    bytes += segment.length
    if (segments.length % ARCHIVE_REQUESTS_AT_ONCE === 0) await turn(timers)
  }
  return segments
}

async function merged(segments: readonly Buffer[], timers: Timers): Promise<readonly Outgoing[]> {
  const merger = new SegmentMerger(COMPACTION_BYTES_MAX)
  const outgoing: Outgoing[] = []
  const take = (): void => void outgoing.push(takeMerged(merger, LEVEL_COMMITTED))
  for (const bytes of segments) {
    const segment = decodeSegment(bytes)
    if (!merger.add(segment)) {
      take()
      merger.add(segment)
    }
    await turn(timers)
  }
  take()
  return outgoing
}

export function takeMerged(merger: SegmentMerger, level: number): Outgoing {
  const { header, pages } = merger.take()
  return outgoingOf(level, encodeSegment(header, pages), header)
}
