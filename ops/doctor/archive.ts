/**
 * Tries an archive as its primary uses it: create, refuse to create again, read, delete. The object has a random name of its
 * own, so nothing of the archive is touched.
 */
import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { openArchive } from '../../shared/archive/open-archive.ts'
import { type ArchiveStorage, notWritten } from '../../shared/archive/storage.ts'
import type { Entropy } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'

const NAME_BYTES = 8

/**
 * `location` is a folder or a bucket. A folder that is missing is made by the first start, if this user may make it there.
 * Throws archive_missing, archive_denied, archive_unavailable, platform_unsupported.
 */
export async function tryArchive(location: string, entropy: Pick<Entropy, 'bytes'>): Promise<void> {
  const folder = location.replace(/^file:\/\//, '')
  const isFolder = !folder.includes('://')
  if (isFolder && (await stat(folder).catch(() => undefined)) === undefined) return requireWritable(folder)
  await probe(await openArchive(location), entropy)
}

async function requireWritable(folder: string): Promise<void> {
  for (let place = dirname(folder); ; place = dirname(place)) {
    if ((await stat(place).catch(() => undefined)) === undefined && dirname(place) !== place) continue
    try {
      return await access(place, constants.W_OK | constants.X_OK)
    } catch (cause) {
      const hint = `make it as root, and chown it to the user that macaroond runs as; or mount the volume`
      throw new MacaroondError('archive_denied', `${folder} is missing, and this user may not make it`, { hint, cause })
    }
  }
}

/** Throws the errors of the store, and platform_unsupported if it writes over an object that it was told not to. */
export async function probe(storage: ArchiveStorage, entropy: Pick<Entropy, 'bytes'>): Promise<void> {
  const key = `macaroond/doctor-${Buffer.from(entropy.bytes(NAME_BYTES)).toString('hex')}`
  const [first, second] = [Buffer.from('first'), Buffer.from('second')]
  try {
    await storage.create(key, first)
    if ((await storage.get(key))?.equals(first) !== true) throw notWritten(storage, key)
    const isOverwritten = await storage.create(key, second)
    if (isOverwritten || (await storage.get(key))?.equals(first) !== true) throw withoutConditions(storage)
  } finally {
    await storage.delete(key)
  }
}

function withoutConditions({ location }: ArchiveStorage): MacaroondError {
  const hint = 'use a store with conditional writes (If-None-Match: *), or a directory; a proxy may drop the header'
  return new MacaroondError('platform_unsupported', `${location} overwrites an object although it exists`, { hint })
}
