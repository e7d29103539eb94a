/** Deletes what has served its time: first the manifest says so, then the files go. */
import { LEVEL_COMMITTED, LEVEL_SNAPSHOT, parseSegmentKey, SEGMENTS_PREFIX } from '../../shared/archive/layout.ts'
import type { ManifestState } from '../../shared/archive/manifest-state.ts'
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
 * Files that no manifest names, because a crash came between a file and its entry, or between an entry and the deletion. Only
 * those whose name nobody will give again: this process may sleep now, and delete them long after a later primary has gone on
 * with the archive.
 */
async function unlisted({
  storage,
  manifest,
}: Pick<UploadOptions, 'storage' | 'manifest'>): Promise<readonly string[]> {
  const { files } = manifest.state
  const objects = await storage.list(SEGMENTS_PREFIX)
  const isFree = namesNeverGivenAgain(manifest.state)
  return objects.map(({ key }) => key).filter((key) => !files.has(key) && isFree(key))
}

function namesNeverGivenAgain({ files, head }: ManifestState): (key: string) => boolean {
  const archived = head?.txid ?? 0
  const reached = new Map<number, number>()
  for (const { level, maxTxid } of files.values()) reached.set(level, Math.max(reached.get(level) ?? 0, maxTxid))
  return (key) => {
    const file = parseSegmentKey(key)
    if (file === undefined) return false
    const { level, maxTxid } = file
    if (level === LEVEL_COMMITTED) return maxTxid <= archived
    // A snapshot is named after the head, a merge goes on after what its level has reached.
    return level === LEVEL_SNAPSHOT ? maxTxid < archived : maxTxid <= (reached.get(level) ?? 0)
  }
}
