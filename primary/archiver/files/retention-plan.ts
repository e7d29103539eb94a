/**
 * Pure core that chooses the files to delete. A file is kept only together with the files that a restore to its end needs, so
 * every remaining file stays restorable.
 */
import { type ArchivedFile, LEVEL_COMMITTED, LEVEL_SNAPSHOT, LEVELS_MERGED } from '../../../shared/archive/layout.ts'

export interface RetentionRules {
  /** Time for which every single transaction can be restored: a file is kept this long after a merged file covers it. */
  readonly windowMs: number
  /** Time for which the database can be restored at all. Beyond `windowMs`, only the ends of merged files can be restored. */
  readonly keepMs: number
  /** Above these limits, files of single transactions are deleted early if a merged file covers them. */
  readonly filesMax: number
  readonly bytesMax: number
}

export interface RetentionPlan {
  readonly remove: readonly ArchivedFile[]
  /** Number of files that are deleted early. Single transactions of that time can no longer be restored. */
  readonly early: number
}

/**
 * Sorts by last transaction. Raises a timestamp that is lower than that of the file before, because a clock that was set back
 * must not make a file look older than earlier ones.
 */
function inCommitOrder(files: Iterable<ArchivedFile>): readonly ArchivedFile[] {
  let latestMs = 0
  return [...files]
    .toSorted((a, b) => a.maxTxid - b.maxTxid)
    .map((file) => {
      latestMs = Math.max(latestMs, file.timestampMs)
      return file.timestampMs === latestMs ? file : { ...file, timestampMs: latestMs }
    })
}

/** Returns the merged file that contains all transactions of a file. */
type Cover = (file: ArchivedFile) => ArchivedFile | undefined

export function planRetention(files: Iterable<ArchivedFile>, rules: RetentionRules, nowMs: number): RetentionPlan {
  const all = inCommitOrder(files)
  const snapshots = all.filter(({ level }) => level === LEVEL_SNAPSHOT).toSorted((a, b) => a.maxTxid - b.maxTxid)
  const tooOld = snapshots.filter(({ timestampMs }) => timestampMs < nowMs - rules.keepMs)
  const gone = new Set(tooOld.slice(0, -1))
  // The newest snapshot that is too old stays, as a base for the files after it. Without such a snapshot no file is too old.
  const floor = tooOld.at(-1)?.maxTxid ?? 0
  const covers = new Map([LEVEL_COMMITTED, ...LEVELS_MERGED].map((level) => [level, coverOf(all, level + 1)]))
  for (const file of all) {
    if (file.level === LEVEL_SNAPSHOT) continue
    const cover = covers.get(file.level)?.(file)
    // Files under one merged file are deleted together: after a gap, none of their transactions can be restored separately.
    if (file.maxTxid <= floor || (cover !== undefined && cover.timestampMs < nowMs - rules.windowMs)) gone.add(file)
  }
  const early = beyondCaps(all, gone, rules, coverOf(all, LEVEL_COMMITTED + 1))
  return { remove: [...gone, ...early], early: early.length }
}

function coverOf(files: readonly ArchivedFile[], level: number): Cover {
  const merged = files.filter((file) => file.level === level).toSorted((a, b) => a.minTxid - b.minTxid)
  return ({ minTxid, maxTxid }) => {
    const candidate = merged[lastStartingAt(merged, minTxid)]
    return candidate !== undefined && candidate.maxTxid >= maxTxid ? candidate : undefined
  }
}

/** Index of the last file that begins at or before `txid`, by bisection; -1 for none. */
function lastStartingAt(files: readonly ArchivedFile[], txid: number): number {
  let [low, high] = [0, files.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (files[middle]!.minTxid <= txid) low = middle + 1
    else high = middle
  }
  return low - 1
}

/**
 * Chooses files to delete early, oldest first, until the limits hold. It does not stop amid the files under one merged file.
 * It passes over files that no merged file covers, because one lost merged file must not put the limits out of force.
 */
function beyondCaps(
  files: readonly ArchivedFile[],
  gone: ReadonlySet<ArchivedFile>,
  { filesMax, bytesMax }: RetentionRules,
  coverOfFile: Cover,
): readonly ArchivedFile[] {
  const kept = files.filter((file) => file.level === LEVEL_COMMITTED && !gone.has(file))
  let count = kept.length
  let bytes = kept.reduce((sum, file) => sum + file.bytes, 0)
  const early: ArchivedFile[] = []
  let begun: ArchivedFile | undefined
  for (const file of kept.toSorted((a, b) => a.minTxid - b.minTxid)) {
    const cover = coverOfFile(file)
    if (cover === undefined) continue
    if (cover !== begun && count <= filesMax && bytes <= bytesMax) break
    begun = cover
    early.push(file)
    count -= 1
    bytes -= file.bytes
  }
  return early
}
