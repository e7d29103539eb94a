/** Lists the segments of an archive by their names alone, for archives without a manifest and to compare with one. */
import { type ArchivedFile, parseSegmentKey, SEGMENTS_PREFIX } from './layout.ts'
import type { ArchiveStorage } from './storage.ts'

/** Timestamps come from the listing. Hashes, epochs and checksums are unknown. */
export async function listSegmentFiles(storage: ArchiveStorage): Promise<readonly ArchivedFile[]> {
  const objects = await storage.list(SEGMENTS_PREFIX)
  return objects.flatMap(({ key, bytes, timestampMs }) => {
    const parsed = parseSegmentKey(key)
    if (parsed === undefined) return []
    return [{ ...parsed, key, bytes, timestampMs, sha256: undefined, epoch: undefined, postApply: undefined }]
  })
}
