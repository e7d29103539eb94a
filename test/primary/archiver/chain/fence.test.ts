/** A primary that slept while another one led the archive wins nothing that counts. */
import { describe, expect, test } from 'vitest'
import { proveArrival } from '../../../../primary/archiver/files/heartbeat.ts'
import { retain } from '../../../../primary/archiver/files/retain.ts'
import { manifestKey } from '../../../../shared/archive/layout.ts'
import { readManifest } from '../../../../shared/archive/read-chain.ts'
import { MemoryStorage } from '../../../shared/archive/memory.ts'
import { append, appendOne, DELETES_ALL, file, KEY, leader, leadPastBase } from './leaders.ts'

describe('a primary that slept while another led past a base', () => {
  for (const { name, epochOfSuccessor } of [
    { name: 'in the next epoch', epochOfSuccessor: 2 },
    { name: 'in epoch 3, epoch 2 never claimed', epochOfSuccessor: 3 },
  ]) {
    test(`is fenced at its first entry and deletes nothing: the other leads ${name}`, async () => {
      const storage = new MemoryStorage()
      const old = await leader(storage, 1, 'a')
      await append(old, storage, 1, 1, 5)
      // A crash left it before, so retention has something to delete.
      const left = file(storage, 0, 2, 3, 1)
      const { merged, head } = await leadPastBase(storage, epochOfSuccessor, 'b')
      expect(storage.objects.has(manifestKey(old.state.seq + 1))).toBe(false)

      await expect(appendOne(old, storage, 1, 6)).rejects.toMatchObject({ code: 'archive_fenced' })
      await expect(retain({ storage, manifest: old }, DELETES_ALL, 1)).rejects.toMatchObject({ code: 'archive_fenced' })
      await expect(old.writeBase()).rejects.toMatchObject({ code: 'archive_fenced' })
      await expect(proveArrival({ storage, manifest: old })).rejects.toMatchObject({ code: 'archive_fenced' })
      await expect(old.load()).rejects.toMatchObject({ code: 'archive_fenced' })
      expect([merged, left].map(({ key }) => storage.objects.has(key))).toEqual([true, true])
      // The sleeper's entry lies before the base, where it counts for nothing.
      const seen = await readManifest(storage, KEY.publicKey)
      expect(seen).toMatchObject({ epoch: epochOfSuccessor, head: { txid: head } })
    })
  }

  test('is found out in its own epoch as well: a copy of its data folder ran elsewhere', async () => {
    const storage = new MemoryStorage()
    const first = await leader(storage, 1, 'a', 1_000)
    await append(first, storage, 1, 1, 5)
    const copy = await leader(storage, 1, 'a')
    await append(copy, storage, 1, 6, 20)
    expect(copy.state.base.seq).toBeGreaterThan(first.state.seq + 1)
    await expect(appendOne(first, storage, 1, 6)).rejects.toMatchObject({ code: 'archive_damaged' })
    expect((await first.load()).head?.txid).toBe(20)
  })

  test('may win an entry: its successor reads on, and the old one acknowledges nothing', async () => {
    const storage = new MemoryStorage()
    const old = await leader(storage, 1, 'a')
    await append(old, storage, 1, 1, 3)
    const successor = await leader(storage, 2, 'b')
    let late: unknown
    storage.before = async (call, key) => {
      if (call !== 'create' || key !== manifestKey(4) || late !== undefined) return
      late = 'under way'
      late = await appendOne(old, storage, 1, 4).catch((error: unknown) => error)
    }
    const state = await successor.append({ head: undefined, added: [], removed: [] })
    expect(late).toMatchObject({ code: 'archive_fenced' })
    expect(state).toMatchObject({ seq: 5, epoch: 2 })
    expect([...state.files.values()].map(({ maxTxid }) => maxTxid)).toEqual([1, 2, 3, 4])
    expect(await readManifest(storage, KEY.publicKey)).toMatchObject({ seq: 5, epoch: 2 })
  })

  test('does not take the place of a successor that has begun: its entries are no late ones', async () => {
    const storage = new MemoryStorage()
    const old = await leader(storage, 2, 'a')
    await append(old, storage, 2, 1, 3)
    const elsewhere = new MemoryStorage(new Map(storage.objects))
    await append(await leader(elsewhere, 2, 'a'), elsewhere, 2, 7, 8)
    storage.objects.set(manifestKey(4), elsewhere.objects.get(manifestKey(4))!)
    await expect(append(old, storage, 2, 4, 4)).rejects.toMatchObject({ code: 'archive_fenced' })
    storage.objects.set(manifestKey(4), Buffer.from('no entry\n'))
    await expect(append(old, storage, 2, 4, 4)).rejects.toMatchObject({ code: 'archive_damaged' })
  })
})
