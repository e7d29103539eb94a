/** Deletes what has served its time: first the manifest says so, then the files go. */
import { parseSegmentKey, SEGMENTS_PREFIX } from '../../shared/archive/layout.ts'
import { planRetention, type RetentionRules } from '../../shared/archive/retention-plan.ts'
import { inParallel, requestsAtOnce } from '../../shared/archive/storage.ts'
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
  const { storage, manifest } = options
  const { remove, early } = planRetention(manifest.state.files.values(), rules, nowMs)
  const keys = [...remove.map(({ key }) => key), ...(await unlisted(options))]
  if (keys.length === 0) return { removed: 0, early }
  // Created only if absent: whoever is no longer the one that goes on with the chain is fenced here, and deletes nothing.
  await manifest.append({ head: manifest.state.head, added: [], removed: remove })
  await inParallel(keys, requestsAtOnce(storage), (key) => storage.delete(key))
  return { removed: remove.length, early }
}

/**
 * What no manifest names, because a crash came between a file and its entry, or between an entry and the deletion. Not what
 * is beyond our head: the primary of a later epoch may have put it there a moment ago.
 */
async function unlisted({
  storage,
  manifest,
}: Pick<UploadOptions, 'storage' | 'manifest'>): Promise<readonly string[]> {
  const { files, head } = manifest.state
  const isOurs = (key: string): boolean => (parseSegmentKey(key)?.maxTxid ?? Infinity) <= (head?.txid ?? 0)
  const objects = await storage.list(SEGMENTS_PREFIX)
  return objects.map(({ key }) => key).filter((key) => !files.has(key) && isOurs(key))
}
