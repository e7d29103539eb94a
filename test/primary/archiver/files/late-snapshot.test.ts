/** A store may carry out a write long after it was given up, also that of a snapshot. */
import { expect, test } from 'vitest'
import type { ArchiveStorage } from '../../../../shared/archive/storage.ts'
import { verifyArchive } from '../../../../shared/archive/verify-archive.ts'
import { MacaroondError } from '../../../../shared/errors.ts'
import { Authority } from '../../../recovery/archive/authority.ts'
import { MemoryStorage } from '../../../shared/archive/memory.ts'

/** As a bucket's small snapshots: the whole content is read first, and one request writes it. The first one is given up. */
class LateStorage extends MemoryStorage {
  late: (() => void) | undefined

  override put: ArchiveStorage['put'] = async (key, content) => {
    const pieces: Uint8Array[] = []
    if ('pieces' in content) for await (const piece of content.pieces()) pieces.push(piece)
    else pieces.push(content)
    const store = (): void => void this.objects.set(key, Buffer.concat(pieces))
    if (this.late !== undefined) return store()
    this.late = store
    throw new MacaroondError('archive_unavailable', 'no answer in time')
  }
}

test('a snapshot that was given up lands after its successor was recorded, and is the same file', async () => {
  const storage = new LateStorage()
  const authority = await Authority.create(undefined, storage)
  // The log lacks the head, as it does right after a restore.
  await expect(authority.claim()).rejects.toMatchObject({ code: 'archive_unavailable' })
  authority.nowMs += 60_000
  await authority.claimAgain()
  const files = [...authority.manifest.state.files.values()]
  expect(files).toMatchObject([{ level: 9, timestampMs: authority.recorded[0]!.atMs }])
  storage.late!()
  expect((await verifyArchive(storage, files, () => undefined)).bad).toEqual([])
})
