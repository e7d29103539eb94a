/**
 * Retention: deletes files that are no longer needed. It writes an entry of the manifest first, and then deletes the files, so
 * a primary that was fenced meanwhile deletes nothing.
 */
import { LEVEL_COMMITTED, LEVEL_SNAPSHOT, parseSegmentKey, SEGMENTS_PREFIX } from '../../../shared/archive/layout.ts'
import type { ManifestState } from '../../../shared/archive/manifest-state.ts'
import { planRetention, type RetentionRules } from './retention-plan.ts'
import { inParallel, requestsAtOnce } from '../../../shared/archive/storage.ts'
import type { UploadOptions } from './upload.ts'

export interface Retained {
  readonly removed: number
  /** Number of these that were removed before their time, because of the limits on files or bytes. */
  readonly early: number
}

export async function retain(
  options: Pick<UploadOptions, 'storage' | 'manifest'>,
  rules: RetentionRules,
  nowMs: number,
): Promise<Retained> {
  const { storage, manifest } = options
  const { remove, early } = planRetention(manifest.state.files.values(), rules, nowMs)
  const keys = [...remove.map(({ key }) => key), ...(await unnamedFiles(options))]
  if (keys.length === 0) return { removed: 0, early }
  // This throws if another primary leads the chain by now. Then nothing is deleted.
  await manifest.append({ head: manifest.state.head, added: [], removed: remove })
  await inParallel(keys, requestsAtOnce(storage), (key) => storage.delete(key))
  return { removed: remove.length, early }
}

/**
 * Lists the files that no entry names. A crash leaves them if it comes between the upload of a file and its entry, or between
 * an entry and the deletion. It lists only names that no primary will use again, because this process may sleep now, and delete
 * the files after a later primary has taken over.
 */
async function unnamedFiles({
  storage,
  manifest,
}: Pick<UploadOptions, 'storage' | 'manifest'>): Promise<readonly string[]> {
  const { files } = manifest.state
  const objects = await storage.list(SEGMENTS_PREFIX)
  const isNeverReused = neverReused(manifest.state)
  return objects.map(({ key }) => key).filter((key) => !files.has(key) && isNeverReused(key))
}

function neverReused({ files, head }: ManifestState): (key: string) => boolean {
  const archived = head?.txid ?? 0
  const reached = new Map<number, number>()
  for (const { level, maxTxid } of files.values()) reached.set(level, Math.max(reached.get(level) ?? 0, maxTxid))
  return (key) => {
    const file = parseSegmentKey(key)
    if (file === undefined) return false
    const { level, maxTxid } = file
    if (level === LEVEL_COMMITTED) return maxTxid <= archived
    // New snapshots are named after the head, and new merges start after the end of their level.
    return level === LEVEL_SNAPSHOT ? maxTxid < archived : maxTxid <= (reached.get(level) ?? 0)
  }
}
