/** What lies in an archive by its names alone: for archives without a manifest, and to compare with one. */
import { type ArchivedFile, parseSegmentKey, SEGMENTS_PREFIX } from './layout.ts'
import type { ArchiveStorage } from './storage.ts'

/** Timestamps are those of the listing; hashes, epochs and checksums are unknown. */
export async function listSegmentFiles(storage: ArchiveStorage): Promise<readonly ArchivedFile[]> {
  const objects = await storage.list(SEGMENTS_PREFIX)
  return objects.flatMap(({ key, bytes, timestampMs }) => {
    const parsed = parseSegmentKey(key)
    if (parsed === undefined) return []
    return [{ ...parsed, key, bytes, timestampMs, sha256: undefined, epoch: undefined, postApply: undefined }]
  })
}
