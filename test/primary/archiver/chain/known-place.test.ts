/** A place is the archive of a database if it holds what the database remembers, or goes on from it; an empty one is not. */
import { expect, test } from 'vitest'
import { requireKnownPlace } from '../../../../primary/archiver/chain/known-place.ts'
import { claimEpoch } from '../../../../primary/archiver/chain/claim-epoch.ts'
import { epochKey, manifestKey } from '../../../../shared/archive/layout.ts'
import { type ChainLink, ManifestWriter } from '../../../../primary/archiver/chain/manifest-writer.ts'
import { ed25519Private, ed25519PublicKey } from '../../../../shared/crypto.ts'
import { epoch, timeline } from '../../../../shared/ids.ts'
import { MemoryStorage } from '../../../shared/archive/memory.ts'

const SEED = Buffer.alloc(32, 7)
const KEY = { privateKey: ed25519Private(SEED), publicKey: ed25519PublicKey(SEED) }
const WHOSE = { publicKey: KEY.publicKey, epoch: epoch(1), timeline: timeline('a'.repeat(32)) }

async function archiveOf(letter: string, entries: number): Promise<{ storage: MemoryStorage; link: ChainLink }> {
  const storage = new MemoryStorage()
  const place = { cluster: 'c', epoch: epoch(1), timeline: timeline(letter.repeat(32)) }
  await claimEpoch(storage, { ...place, atMs: 1 }, KEY)
  const writer = new ManifestWriter({ storage, ...place, signingKey: KEY, wallMs: () => 1 })
  await writer.load()
  for (let number = 1; number <= entries; number += 1) await writer.append({ head: undefined, added: [], removed: [] })
  const link = writer.newest!
  await writer.append({ head: undefined, added: [], removed: [] })
  return { storage, link }
}

const missing = { code: 'archive_missing' }

test('a place with one of the known entries is the archive of this database', async () => {
  const { storage, link } = await archiveOf('a', 3)
  expect(await requireKnownPlace(storage, [link], WHOSE)).toBe(link)
  storage.objects.delete(epochKey(epoch(1)))
  const other = { entry: 3, hash: '0'.repeat(64) }
  expect(await requireKnownPlace(storage, [other, link], WHOSE)).toBe(link)
})

test('a place that lost the entry, or its claim, is a place with a wound', async () => {
  const { storage, link } = await archiveOf('a', 3)
  storage.objects.delete(manifestKey(3))
  expect(await requireKnownPlace(storage, [link], WHOSE)).toBe(link)
  storage.objects.delete(epochKey(epoch(1)))
  // A base deletes what came before it.
  expect(await requireKnownPlace(storage, [link], WHOSE)).toBe(link)
})

test('an empty place is not the place, nor is the archive of another history', async () => {
  const { link } = await archiveOf('a', 3)
  await expect(requireKnownPlace(new MemoryStorage(), [link], WHOSE)).rejects.toMatchObject(missing)
  const { storage: other } = await archiveOf('b', 9)
  other.objects.delete(epochKey(epoch(1)))
  await expect(requireKnownPlace(other, [link], WHOSE)).rejects.toThrow(/another archive is there/)
  const { storage: shorter } = await archiveOf('a', 1)
  shorter.objects.delete(epochKey(epoch(1)))
  await expect(requireKnownPlace(shorter, [link], WHOSE)).rejects.toMatchObject(missing)
})
