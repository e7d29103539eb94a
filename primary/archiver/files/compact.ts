/**
 * Compaction: merges the files of one level that no file of the next level covers yet. Fewer files make a restore faster.
 */
import { planCompaction } from './compaction-plan.ts'
import type { ArchivedFile } from '../../../shared/archive/layout.ts'
import { readSegmentFile } from '../../../shared/archive/read-file.ts'
import { turn } from '../../../shared/clock.ts'
import { assert } from '../../../shared/errors.ts'
import { COMPACTION_BYTES_MAX } from '../../../shared/limits.ts'
import { SegmentMerger } from '../../../shared/ltx/merge.ts'
import { createFile } from './outgoing.ts'
import { takeMerged, type UploadOptions } from './upload.ts'

type CompactOptions = Pick<UploadOptions, 'storage' | 'manifest' | 'timers'>

/** Merges into `level`, and adds the merged files to the manifest. The old files stay until retention deletes them. */
export async function compact(options: CompactOptions, level: number): Promise<void> {
  const { manifest } = options
  for (const run of planCompaction(manifest.state.files.values(), level)) await compactRun(options, run, level)
}

async function compactRun(options: CompactOptions, run: readonly ArchivedFile[], level: number): Promise<void> {
  const merger = new SegmentMerger(COMPACTION_BYTES_MAX)
  for (const file of run) {
    const segment = await readSegmentFile(options.storage, file)
    if (!merger.add(segment)) {
      await put(options, merger, level)
      assert(merger.add(segment), 'an empty merger takes any segment')
    }
    await turn(options.timers)
  }
  if (!merger.isEmpty) await put(options, merger, level)
}

async function put({ storage, manifest }: CompactOptions, merger: SegmentMerger, level: number): Promise<void> {
  const file = await createFile(storage, takeMerged(merger, level))
  await manifest.append({ head: manifest.state.head, added: [file], removed: [] })
}
