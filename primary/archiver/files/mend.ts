/**
 * Repairs files that the manifest names and that are missing or damaged. A file that the segment log can still produce is
 * uploaded again under its name. Any other is removed from the manifest, and a snapshot bridges the gap if no other file does.
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
import { type Outgoing, outgoingOf, takeMerged, type UploadOptions } from './upload.ts'

type MendOptions = Pick<UploadOptions, 'storage' | 'manifest' | 'source' | 'timers'>

/** Keys of the files that were uploaded again, and of those that were lost. */
export interface Mended {
  readonly put: readonly string[]
  readonly lost: readonly string[]
}

export async function mendFiles(options: MendOptions): Promise<Mended> {
  const { storage, manifest, source, timers } = options
  const put: string[] = []
  const lost: ArchivedFile[] = []
  for (const file of await badFiles(options)) {
    const again = inLog(file, source)
    if (again === undefined) lost.push(file)
    else await storage.put(file.key, again.bytes, file.timestampMs)
    if (again !== undefined) put.push(file.key)
    await turn(timers)
  }
  if (lost.length > 0) {
    const { files, head } = manifest.state
    const left = [...files.values()].filter((file) => !lost.includes(file))
    await manifest.append({ head: reachableHead(left, head), added: [], removed: lost })
  }
  return { put, lost: lost.map(({ key }) => key) }
}

/** The head, if the files lead to it; undefined otherwise, because the manifest must not claim what cannot be restored. */
export function reachableHead(files: readonly ArchivedFile[], head: Position | undefined): Position | undefined {
  return head !== undefined && chainTo(files, head.txid)?.reaches === head.txid ? head : undefined
}

/** Compares names and sizes, and reads only the files that are still to be merged. */
async function badFiles({ storage, manifest, timers }: MendOptions): Promise<readonly ArchivedFile[]> {
  const { files } = manifest.state
  const there = new Set((await filesThere(storage, files.values())).map(({ key }) => key))
  const bad = new Set([...files.values()].filter(({ key }) => !there.has(key)))
  const toMerge = LEVELS_MERGED.flatMap((level) => planCompaction(files.values(), level).flat())
  for (const file of toMerge) {
    if (!bad.has(file) && (await isDamaged(file, storage))) bad.add(file)
    await turn(timers)
  }
  return [...bad]
}

async function isDamaged(file: ArchivedFile, storage: MendOptions['storage']): Promise<boolean> {
  try {
    await readSegmentFile(storage, file)
    return false
  } catch (error) {
    if (error instanceof MacaroondError && error.code === 'archive_damaged') return true
    throw error
  }
}

/** The archived bytes, produced from the log; undefined if the log cannot produce the same bytes. */
function inLog(file: ArchivedFile, source: CommittedHistory): Outgoing | undefined {
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
