/** Pure core that chooses which files of one level are merged into the next level. */
import type { ArchivedFile } from '../../../shared/archive/layout.ts'

/**
 * Returns runs of files of the level below that no file of `level` covers yet, oldest first. A run has no gap and lies inside
 * one epoch, because segments of different epochs are never merged.
 */
export function planCompaction(files: Iterable<ArchivedFile>, level: number): readonly (readonly ArchivedFile[])[] {
  const all = [...files]
  const covered = all.filter((file) => file.level === level).reduce((most, { maxTxid }) => Math.max(most, maxTxid), 0)
  const inputs = all
    .filter((file) => file.level === level - 1 && file.maxTxid > covered)
    .toSorted((a, b) => a.minTxid - b.minTxid)
  const runs: ArchivedFile[][] = []
  for (const file of inputs) {
    const run = runs.at(-1)
    const last = run?.at(-1)
    const follows = last !== undefined && file.minTxid === last.maxTxid + 1 && file.epoch === last.epoch
    if (run !== undefined && follows) run.push(file)
    else runs.push([file])
  }
  return runs
}
