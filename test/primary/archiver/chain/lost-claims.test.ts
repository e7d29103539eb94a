/** A claim that was lost is written again for the timeline that had it, so that no file of its epoch is given up. */
import { describe, expect, test } from 'vitest'
import { inspectDamage } from '../../../../primary/archiver/chain/repair.ts'
import { claimEpoch } from '../../../../primary/archiver/chain/claim-epoch.ts'
import type { ManifestWriter } from '../../../../primary/archiver/chain/manifest-writer.ts'
import { proveArrival } from '../../../../primary/archiver/files/heartbeat.ts'
import { readClaim } from '../../../../shared/archive/epoch-claim.ts'
import { epochKey, manifestKey } from '../../../../shared/archive/layout.ts'
import { readManifest } from '../../../../shared/archive/read-chain.ts'
import { epoch } from '../../../../shared/ids.ts'
import { MemoryStorage } from '../../../shared/archive/memory.ts'
import { appendOne, at, claimArchive, claimed, file, KEY, leader, placeOf, writerOf } from './leaders.ts'

const FILES_OF_THREE = 4

/** Epochs 1, 2 and 3 follow each other in one chain without a base: the leader of epoch 3 runs. */
async function threeEpochs(): Promise<{ storage: MemoryStorage; own: ManifestWriter }> {
  const storage = new MemoryStorage()
  const first = await leader(storage, 1, 'a')
  await first.append({ head: at(1, 5), added: [file(storage, 9, 1, 5, 1)], removed: [] })
  const second = await leader(storage, 2, 'b')
  const added = [file(storage, 9, 1, 256, 2), file(storage, 3, 257, 272, 2)]
  await second.append({ head: at(2, 272), added, removed: [] })
  const own = await leader(storage, 3, 'c')
  await own.append({ head: at(3, 4096), added: [file(storage, 9, 1, 4096, 3)], removed: [] })
  return { storage, own }
}

const lose = (storage: MemoryStorage, of: number): boolean => storage.objects.delete(epochKey(epoch(of)))

async function ownerOf(storage: MemoryStorage, of: number): Promise<string | undefined> {
  return (await readClaim(storage, KEY.publicKey, of))?.timeline[0]
}

async function plant(storage: MemoryStorage, of: number, letter: string): Promise<void> {
  const elsewhere = new MemoryStorage()
  await claimed(elsewhere, of, letter)
  storage.objects.set(epochKey(epoch(of)), elsewhere.objects.get(epochKey(epoch(of)))!)
}

describe('a lost claim of an earlier epoch', () => {
  const owners = ['a', 'b', 'c']

  test.each([[[1]], [[2]], [[1, 2]], [[1, 2, 3]]])('is written again for its timeline: %j', async (lost) => {
    for (const isRestarted of [false, true]) {
      const { storage, own } = await threeEpochs()
      for (const of of lost) lose(storage, of)
      const manifest = isRestarted ? writerOf(storage, 3, 'c') : own
      const { repaired } = await claimArchive(manifest, storage, [3, 'c', 4096])
      expect(repaired).toEqual(lost.map((of) => expect.stringContaining(`the claim of epoch ${of} was lost`)))
      expect(await Promise.all([1, 2, 3].map((of) => ownerOf(storage, of)))).toEqual(owners)
      expect((await readManifest(storage, KEY.publicKey)).files.size).toBe(FILES_OF_THREE)
    }
  })

  test('is written again for its timeline where entries of the chain are lost as well', async () => {
    const { storage } = await threeEpochs()
    lose(storage, 2)
    storage.objects.delete(manifestKey(1))
    const manifest = writerOf(storage, 3, 'c')
    const claiming = (mayRepair: boolean): Promise<unknown> =>
      claimArchive(manifest, storage, [3, 'c', 4096], { mayRepair: () => mayRepair })
    await expect(claiming(false)).rejects.toThrow(/entry 1 of the manifest is missing/)
    expect(await ownerOf(storage, 2)).toBe('b')
    await claiming(true)
    expect((await readManifest(storage, KEY.publicKey)).files.size).toBe(FILES_OF_THREE - 1)
  })

  test('is found by the heartbeat, and written again for its timeline', async () => {
    const { storage, own } = await threeEpochs()
    for (const of of [1, 2]) lose(storage, of)
    expect(await own.ensureClaims()).toEqual([1, 2])
    expect(await own.ensureClaims()).toEqual([])
    expect(await Promise.all([1, 2].map((of) => ownerOf(storage, of)))).toEqual(['a', 'b'])
  })

  test('that nobody had is filled by the primary of a later epoch, in its own name', async () => {
    const storage = new MemoryStorage()
    await appendOne(await leader(storage, 1, 'a'), storage, 1, 1)
    const { repaired } = await claimArchive(writerOf(storage, 3, 'c'), storage, [3, 'c', 4096])
    expect([repaired, await ownerOf(storage, 2)]).toEqual([[], 'c'])
  })
})

describe('a lost claim', () => {
  test('of an epoch with entries gives the epoch to no other timeline', async () => {
    const { storage, own } = await threeEpochs()
    lose(storage, 3)
    await expect(claimed(storage, 3, 'd')).rejects.toMatchObject({ code: 'archive_fenced' })
    expect(await ownerOf(storage, 3)).toBe('c')
    await appendOne(own, storage, 3, 4097)
  })

  test('of a later epoch lets no primary of an earlier epoch lead', async () => {
    const { storage } = await threeEpochs()
    for (const of of [2, 3]) lose(storage, of)
    const before = new Map(storage.objects)
    await expect(claimArchive(writerOf(storage, 1, 'a'), storage, [1, 'a', 5])).rejects.toMatchObject({
      code: 'archive_fenced',
    })
    lose(storage, 1)
    await expect(claimed(storage, 1, 'a')).rejects.toMatchObject({ code: 'archive_fenced' })
    before.delete(epochKey(epoch(1)))
    expect(storage.objects).toEqual(before)
  })

  test('is never written into the archive of another cluster', async () => {
    const { storage } = await threeEpochs()
    for (const of of [1, 2, 3]) lose(storage, of)
    const before = new Map(storage.objects)
    const other = { ...placeOf(4, 'd'), cluster: 'other', atMs: 1 }
    await expect(claimEpoch(storage, other, KEY)).rejects.toMatchObject({ code: 'wrong_cluster' })
    expect(storage.objects).toEqual(before)
  })
})

describe('a claim of an earlier epoch that was changed', () => {
  const changes: Record<string, (storage: MemoryStorage) => Promise<void> | void> = {
    'is empty': (storage) => void storage.objects.set(epochKey(epoch(2)), Buffer.alloc(0)),
    'names another timeline': (storage) => plant(storage, 2, 'd'),
  }

  test.each(Object.keys(changes))(
    'costs no file while the process runs that knows the chain: it %s',
    async (change) => {
      const { storage, own } = await threeEpochs()
      await changes[change]!(storage)
      await expect(readManifest(storage, KEY.publicKey)).rejects.toMatchObject({ code: 'archive_damaged' })
      await expect(proveArrival({ storage, manifest: own })).rejects.toMatchObject({ code: 'archive_damaged' })
      const { repaired } = await claimArchive(own, storage, [3, 'c', 4096])
      expect(repaired).toEqual([expect.stringContaining('the claim of epoch 2 was changed')])
      expect((await readManifest(storage, KEY.publicKey)).files.size).toBe(FILES_OF_THREE)
    },
  )

  test('costs files after a restart, and the operator is told how many', async () => {
    const { storage } = await threeEpochs()
    await plant(storage, 2, 'd')
    const damage = await inspectDamage({ storage, signingKey: KEY, known: undefined })
    expect(damage.problems).toEqual(['entries of epoch 2 belong to a timeline that did not claim it'])
    expect(damage.filesLost).toBe(2)
  })
})
