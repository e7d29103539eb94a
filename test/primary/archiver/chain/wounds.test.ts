/** An archive that lost entries is healed only by the process that wrote them. */
import { describe, expect, test } from 'vitest'
import { proveArrival } from '../../../../primary/archiver/files/heartbeat.ts'
import { manifestKey } from '../../../../shared/archive/layout.ts'
import { readManifest } from '../../../../shared/archive/read-chain.ts'
import { MemoryStorage } from '../../../shared/archive/memory.ts'
import { append, KEY, leader, numbersIn, writerOf } from './leaders.ts'

describe('an archive with a wound', () => {
  const wounds: Record<string, (storage: MemoryStorage) => void> = {
    'an entry is gone': (storage) => storage.objects.delete(manifestKey(3)),
    'the last entry is gone': (storage) => storage.objects.delete(manifestKey(5)),
    'the last entry is empty': (storage) => storage.objects.set(manifestKey(5), Buffer.alloc(0)),
    'all entries are gone': (storage) => {
      for (const key of numbersIn(storage)) storage.objects.delete(key)
    },
    'a page of a proxy has the next number': (storage) => storage.objects.set(manifestKey(6), Buffer.from('<html>')),
  }

  test.each(Object.keys(wounds))('is healed by the process that wrote it: %s', async (wound) => {
    const storage = new MemoryStorage()
    const writer = await leader(storage, 1, 'a', 1_000)
    await append(writer, storage, 1, 1, 5)
    wounds[wound]!(storage)
    await expect(writer.load()).rejects.toMatchObject({ code: 'archive_damaged' })
    // Another process does not know what was lost.
    expect(await writerOf(storage, 1, 'a').heal()).toBeUndefined()
    expect(await writer.heal()).toBeDefined()
    await writer.load()
    await append(writer, storage, 1, 6, 6)
    const { files, head } = await readManifest(storage, KEY.publicKey)
    expect([files.size, head?.txid]).toEqual([6, 6])
  })

  test('is found by the heartbeat', async () => {
    const storage = new MemoryStorage()
    const writer = await leader(storage, 1, 'a', 1_000)
    await append(writer, storage, 1, 1, 5)
    storage.objects.delete(manifestKey(3))
    await expect(proveArrival({ storage, manifest: writer })).rejects.toThrow(/entry 3 of the manifest is missing/)
  })

  test('is no wound for a primary that slept: free names are a successor’s or a copy’s', async () => {
    for (const of of [1, 2]) {
      const storage = new MemoryStorage()
      const old = await leader(storage, 1, 'a', 1_000)
      await append(old, storage, 1, 1, 5)
      const other = await leader(storage, of, of === 1 ? 'a' : 'b', 1_000)
      await append(other, storage, of, 6, 8)
      await other.writeBase()
      const before = numbersIn(storage)
      const healed = old.heal()
      if (of === 1) expect(await healed).toBeUndefined()
      else await expect(healed).rejects.toMatchObject({ code: 'archive_fenced' })
      expect(numbersIn(storage)).toEqual(before)
    }
  })

  test('is left alone by a primary that slept during the repair: its successor’s entries stay', async () => {
    const storage = new MemoryStorage()
    const old = await leader(storage, 1, 'a', 1_000)
    await append(old, storage, 1, 1, 5)
    storage.objects.delete(manifestKey(5))
    let taken: readonly string[] = []
    storage.before = async (call, key) => {
      if (call !== 'create' || key !== manifestKey(6) || taken.length > 0) return
      taken = ['under way']
      await append(await leader(storage, 2, 'b', 1_000), storage, 2, 6, 8)
      taken = numbersIn(storage)
    }
    await expect(old.heal()).rejects.toMatchObject({ code: 'archive_fenced' })
    expect(numbersIn(storage)).toEqual(taken)
    expect(await readManifest(storage, KEY.publicKey)).toMatchObject({ epoch: 2, head: { txid: 8 } })
  })

  test('distinguishes lost bytes from a foreign signature', async () => {
    const storage = new MemoryStorage()
    await append(await leader(storage, 1, 'a', 1_000), storage, 1, 1, 2)
    const [key, whole] = [manifestKey(2), storage.objects.get(manifestKey(2))!]
    const told = async (bytes: Buffer): Promise<string> => {
      storage.objects.set(key, bytes)
      return readManifest(storage, KEY.publicKey).then(
        () => 'nothing',
        (error: Error) => error.message,
      )
    }
    expect(await told(Buffer.alloc(0))).toContain('is empty')
    expect(await told(whole.subarray(0, 60))).toContain('is cut off')
    expect(await told(Buffer.concat([whole.subarray(0, -9), Buffer.from('AAAAAAAA\n')]))).toContain('does not carry')
  })
})
