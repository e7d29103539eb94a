/** Claims of epochs leave no gap, and decide which entries of a chain count. */
import { describe, expect, test } from 'vitest'
import { highestClaim } from '../../../../shared/archive/epoch-claim.ts'
import { epochKey, manifestKey, segmentKey } from '../../../../shared/archive/layout.ts'
import { readManifest } from '../../../../shared/archive/read-chain.ts'
import { epoch, txid } from '../../../../shared/ids.ts'
import { MemoryStorage } from '../../../shared/archive/memory.ts'
import { append, claimed, KEY, leader } from './leaders.ts'

describe('claims of epochs', () => {
  const claimsIn = (storage: MemoryStorage): string[] =>
    [...storage.objects.keys()].filter((key) => key.startsWith('macaroond/epochs/')).toSorted()

  test('have no gap: one start creates all missing ones up to its own, in ascending order', async () => {
    const storage = new MemoryStorage()
    await claimed(storage, 3, 'a')
    expect(claimsIn(storage)).toEqual([1, 2, 3].map((of) => epochKey(epoch(of))))
    storage.objects.delete(epochKey(epoch(1)))
    storage.objects.delete(epochKey(epoch(2)))
    const order: string[] = []
    storage.before = (call, key) => void (call === 'create' && order.push(key))
    await claimed(storage, 6, 'b')
    expect(order).toEqual([4, 5, 6].map((of) => epochKey(epoch(of))))
    expect((await highestClaim(storage, KEY.publicKey))?.timeline).toBe('b'.repeat(32))
    await expect(claimed(storage, 5, 'c')).rejects.toMatchObject({ code: 'archive_fenced' })
  })

  test('that a proxy took in place of the store leave no gap, and end no primary', async () => {
    const storage = new MemoryStorage()
    await claimed(storage, 2, 'a')
    const { create } = storage
    for (const lost of [3, 4]) {
      storage.create = async (key, bytes) => key === epochKey(epoch(lost)) || create(key, bytes)
      await expect(claimed(storage, 4, 'b')).rejects.toMatchObject({ code: 'archive_unavailable' })
      storage.create = create
    }
    await claimed(storage, 4, 'b')
    expect(claimsIn(storage)).toHaveLength(4)
  })

  test('left with a gap by an earlier version are filled at the next start of the leading primary', async () => {
    const storage = new MemoryStorage()
    await claimed(storage, 4, 'b')
    storage.objects.delete(epochKey(epoch(2)))
    storage.objects.delete(epochKey(epoch(3)))
    await claimed(storage, 4, 'b')
    expect(claimsIn(storage)).toHaveLength(4)
  })

  test('begin 1,000 below the first in an empty archive, and more than 1,000 missing are refused', async () => {
    const storage = new MemoryStorage()
    await claimed(storage, 5_000, 'a')
    expect(claimsIn(storage)).toHaveLength(1_001)
    await expect(claimed(storage, 6_002, 'b')).rejects.toMatchObject({ code: 'archive_damaged' })
    expect(claimsIn(storage)).toHaveLength(1_001)
    await claimed(storage, 6_001, 'b')
    expect(claimsIn(storage)).toHaveLength(2_002)
  })

  test('are put again by the heartbeat when one is missing, which says so once', async () => {
    const storage = new MemoryStorage()
    const own = await leader(storage, 1, 'a')
    await append(own, storage, 1, 1, 2)
    storage.objects.delete(segmentKey(0, { minTxid: txid(1), maxTxid: txid(1) }))
    storage.objects.delete(epochKey(epoch(1)))
    await expect(readManifest(storage, KEY.publicKey)).rejects.toThrow(/claim of epoch 1 is missing/)
    expect(await own.ensureClaims()).toEqual([1])
    expect(await own.ensureClaims()).toEqual([])
    expect((await readManifest(storage, KEY.publicKey)).seq).toBe(2)
    const elsewhere = new MemoryStorage()
    await claimed(elsewhere, 1, 'b')
    storage.objects.set(epochKey(epoch(1)), elsewhere.objects.get(epochKey(epoch(1)))!)
    await expect(own.ensureClaims()).rejects.toMatchObject({ code: 'archive_fenced' })
  })

  test('decide which entries count: one of a timeline that did not claim its epoch is refused', async () => {
    const [storage, elsewhere] = [new MemoryStorage(), new MemoryStorage()]
    const old = await leader(storage, 1, 'a')
    await append(old, storage, 1, 1, 3)
    // Two clusters were restored from one archive: they share name, key and chain up to there.
    for (const [key, bytes] of storage.objects) elsewhere.objects.set(key, bytes)
    await append(await leader(storage, 2, 'b'), storage, 2, 4, 4)
    await append(await leader(elsewhere, 2, 'c'), elsewhere, 2, 4, 5)
    for (const number of [4, 5]) storage.objects.set(manifestKey(number), elsewhere.objects.get(manifestKey(number))!)
    await expect(readManifest(storage, KEY.publicKey)).rejects.toThrow(/a timeline that did not claim epoch 2/)
  })
})
