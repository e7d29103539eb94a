/** Deletes what has served its time: first the manifest says so, then the files go. */
import { type ArchivedFile, parseSegmentKey, SEGMENTS_PREFIX } from '../../shared/archive/layout.ts'
import { planRetention, type RetentionRules } from '../../shared/archive/retention-plan.ts'
import { inParallel } from '../../shared/archive/storage.ts'
import { ARCHIVE_REQUESTS_AT_ONCE } from '../../shared/limits.ts'
import type { UploadOptions } from './upload.ts'

export interface Retained {
  readonly removed: number
  /** Of those, before their time: there were too many of them. */
  readonly early: number
}

export async function retain(
  options: Pick<UploadOptions, 'storage' | 'manifest'>,
  rules: RetentionRules,
  nowMs: number,
): Promise<Retained> {
  const { manifest } = options
  const { remove, early } = planRetention(manifest.state.files.values(), rules, nowMs)
  if (remove.length > 0) await manifest.append({ head: manifest.state.head, added: [], removed: remove })
  await deleteUnlisted(options)
  return { removed: remove.length, early }
}

/**
 * Everything that no manifest names: what was just removed from it, and what a crash left between the two steps. Not what is
 * beyond our head: the primary of a later epoch may have put it there a moment ago.
 */
async function deleteUnlisted({ storage, manifest }: Pick<UploadOptions, 'storage' | 'manifest'>): Promise<void> {
  const { files, head } = manifest.state
  const isOurs = (key: string): boolean => (parseSegmentKey(key)?.maxTxid ?? Infinity) <= (head?.txid ?? 0)
  const unlisted = (await storage.list(SEGMENTS_PREFIX)).filter(({ key }) => !files.has(key) && isOurs(key))
  await inParallel(unlisted, ARCHIVE_REQUESTS_AT_ONCE, ({ key }: Pick<ArchivedFile, 'key'>) => storage.delete(key))
}
