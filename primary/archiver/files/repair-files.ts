/**
 * Repairs files that the manifest names and that are missing or damaged. If the segment log can still produce the same bytes,
 * the file is uploaded again. Otherwise it is removed from the manifest. If this leaves a gap, the next snapshot bridges it.
 */
import { chainTo } from '../../../shared/archive/chain.ts'
import { planCompaction } from './compaction-plan.ts'
import { type ArchivedFile, LEVEL_COMMITTED, LEVELS_MERGED } from '../../../shared/archive/layout.ts'
import { readSegmentFile } from '../../../shared/archive/read-file.ts'
import { filesThere } from '../../../shared/archive/salvage.ts'
import { turn } from '../../../shared/clock.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import { txid as asTxid } from '../../../shared/ids.ts'
import { COMPACTION_BYTES_MAX } from '../../../shared/limits.ts'
import { decodeSegment } from '../../../shared/ltx/decoder.ts'
import { SegmentMerger } from '../../../shared/ltx/merge.ts'
import type { Position } from '../../../shared/position.ts'
import type { CommittedHistory } from '../source.ts'
import { type Outgoing, outgoingOf } from './outgoing.ts'
import { takeMerged, type UploadOptions } from './upload.ts'

type RepairFilesOptions = Pick<UploadOptions, 'storage' | 'manifest' | 'source' | 'timers'>

/** Keys of the files that were uploaded again, and of those that were lost. */
export interface RepairedFiles {
  readonly reuploaded: readonly string[]
  readonly lost: readonly string[]
}

export async function repairFiles(options: RepairFilesOptions): Promise<RepairedFiles> {
  const { storage, manifest, source, timers } = options
  const reuploaded: string[] = []
  const lost: ArchivedFile[] = []
  for (const file of await badFiles(options)) {
    const outgoing = fromLog(file, source)
    if (outgoing === undefined) lost.push(file)
    else await storage.put(file.key, outgoing.bytes, file.timestampMs)
    if (outgoing !== undefined) reuploaded.push(file.key)
    await turn(timers)
  }
  if (lost.length > 0) {
    const { files, head } = manifest.state
    const left = [...files.values()].filter((file) => !lost.includes(file))
    await manifest.append({ head: reachableHead(left, head), added: [], removed: lost })
  }
  return { reuploaded, lost: lost.map(({ key }) => key) }
}

/**
 * Returns the head if the files lead to it; otherwise undefined, because a head promises that everything up to it can be
 * restored.
 */
export function reachableHead(files: readonly ArchivedFile[], head: Position | undefined): Position | undefined {
  return head !== undefined && chainTo(files, head.txid)?.reaches === head.txid ? head : undefined
}

/** Compares names and sizes. Reads only the files that are still to be merged, because a damaged one makes every merge fail. */
async function badFiles({ storage, manifest, timers }: RepairFilesOptions): Promise<readonly ArchivedFile[]> {
  const { files } = manifest.state
  const existing = new Set((await filesThere(storage, files.values())).map(({ key }) => key))
  const bad = new Set([...files.values()].filter(({ key }) => !existing.has(key)))
  const toMerge = LEVELS_MERGED.flatMap((level) => planCompaction(files.values(), level).flat())
  for (const file of toMerge) {
    if (!bad.has(file) && (await isDamaged(file, storage))) bad.add(file)
    await turn(timers)
  }
  return [...bad]
}

async function isDamaged(file: ArchivedFile, storage: RepairFilesOptions['storage']): Promise<boolean> {
  try {
    await readSegmentFile(storage, file)
    return false
  } catch (error) {
    if (error instanceof MacaroondError && error.code === 'archive_damaged') return true
    throw error
  }
}

/** Produces the archived bytes from the log; undefined if the log cannot produce the same bytes. */
function fromLog(file: ArchivedFile, source: CommittedHistory): Outgoing | undefined {
  if (file.level !== LEVEL_COMMITTED) return undefined
  const segments: Buffer[] = []
  for (let txid = file.minTxid; txid <= file.maxTxid; txid = asTxid(txid + 1)) {
    const segment = txid > source.head.txid ? undefined : source.segment(txid)
    if (segment === undefined) return undefined
    segments.push(segment)
  }
  const outgoing = segments.length === 1 ? outgoingOf(LEVEL_COMMITTED, segments[0]!) : mergedOf(segments)
  return outgoing?.file.sha256 === file.sha256 ? outgoing : undefined
}

function mergedOf(segments: readonly Buffer[]): Outgoing | undefined {
  const merger = new SegmentMerger(COMPACTION_BYTES_MAX)
  for (const bytes of segments) if (!merger.add(decodeSegment(bytes))) return undefined
  return takeMerged(merger, LEVEL_COMMITTED)
}
