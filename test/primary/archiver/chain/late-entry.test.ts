/** A store may carry out a write long after its request was given up. That is no other primary, and ends none. */
import { describe, expect, test } from 'vitest'
import type { ManifestWriter } from '../../../../primary/archiver/chain/manifest-writer.ts'
import { manifestKey } from '../../../../shared/archive/layout.ts'
import { readManifest } from '../../../../shared/archive/read-chain.ts'
import { MacaroondError } from '../../../../shared/errors.ts'
import { checksum } from '../../../../shared/ids.ts'
import { MemoryStorage } from '../../../shared/archive/memory.ts'
import { append, appendOne, at, claimArchive, KEY, leader, sourceOf } from './leaders.ts'

const GIVEN_UP = { code: 'archive_unavailable' }

/** Has the next creation of an object fail without an answer. Returns what carries it out. */
function giveUpNext(storage: MemoryStorage): () => void {
  const { create } = storage
  const late = new Map<string, Buffer>()
  storage.create = async (key, bytes) => {
    late.set(key, Buffer.from(bytes))
    storage.create = create
    throw new MacaroondError('archive_unavailable', 'no answer in time')
  }
  return () => {
    for (const [key, bytes] of late) if (!storage.objects.has(key)) storage.objects.set(key, bytes)
  }
}

async function headOf(storage: MemoryStorage): Promise<number | undefined> {
  return (await readManifest(storage, KEY.publicKey)).head?.txid
}

/** As the archiver goes on after each failure: it claims the archive again, then repeats its work. */
async function goOn(own: ManifestWriter, storage: MemoryStorage, last: number): Promise<void> {
  await claimArchive(own, storage, [1, 'a', last])
  await appendOne(own, storage, 1, last)
}

describe('an entry that the store writes after its request was given up', () => {
  test('ends no primary: it reads the archive again, and goes on', async () => {
    const storage = new MemoryStorage()
    const own = await leader(storage, 1, 'a')
    await append(own, storage, 1, 1, 3)
    const land = giveUpNext(storage)
    await expect(appendOne(own, storage, 1, 4)).rejects.toMatchObject(GIVEN_UP)
    await claimArchive(own, storage, [1, 'a', 4])
    land()
    await expect(appendOne(own, storage, 1, 5)).rejects.toThrow(/wrote entry 4 of the manifest after its request/)
    await goOn(own, storage, 5)
    expect(await headOf(storage)).toBe(5)
    expect([...own.state.files.values()].map(({ maxTxid }) => maxTxid)).toEqual([1, 2, 3, 4, 5])
  })

  test('ends no primary that was started again meanwhile', async () => {
    const storage = new MemoryStorage()
    const before = await leader(storage, 1, 'a')
    await append(before, storage, 1, 1, 3)
    const land = giveUpNext(storage)
    await expect(appendOne(before, storage, 1, 4)).rejects.toMatchObject(GIVEN_UP)
    const own = await leader(storage, 1, 'a')
    land()
    await expect(appendOne(own, storage, 1, 5)).rejects.toMatchObject(GIVEN_UP)
    await goOn(own, storage, 5)
    expect(await headOf(storage)).toBe(5)
  })

  test('ends no primary whose first entry it is', async () => {
    const storage = new MemoryStorage()
    const own = await leader(storage, 1, 'a')
    const land = giveUpNext(storage)
    await expect(appendOne(own, storage, 1, 1)).rejects.toMatchObject(GIVEN_UP)
    land()
    await expect(appendOne(own, storage, 1, 2)).rejects.toMatchObject(GIVEN_UP)
    await goOn(own, storage, 2)
    expect(await headOf(storage)).toBe(2)
  })

  test('ends no primary that begins a damaged chain anew', async () => {
    const storage = new MemoryStorage()
    const own = await leader(storage, 1, 'a', 1_000)
    await append(own, storage, 1, 1, 5)
    storage.objects.delete(manifestKey(3))
    const content = { ...own.state, head: at(1, 4) }
    const land = giveUpNext(storage)
    await expect(own.beginAnew(content, 5)).rejects.toMatchObject(GIVEN_UP)
    storage.before = (call) => {
      if (call === 'create') land()
    }
    await expect(own.beginAnew(own.state, 5)).rejects.toMatchObject(GIVEN_UP)
    await goOn(own, storage, 6)
    expect(await headOf(storage)).toBe(6)
  })

  test('is told apart from one of a copy of this primary: its history is another one', async () => {
    const storage = new MemoryStorage()
    const before = await leader(storage, 1, 'a')
    await append(before, storage, 1, 1, 3)
    const own = await leader(storage, 1, 'a')
    await appendOne(await leader(storage, 1, 'a'), storage, 1, 4)
    await expect(appendOne(own, storage, 1, 5)).rejects.toMatchObject(GIVEN_UP)
    const checksumAt = (): ReturnType<typeof checksum> => checksum((1n << 63n) + 2n)
    await expect(
      claimArchive(own, storage, [1, 'a', 5], { source: sourceOf(1, 'a', 5, { checksumAt }) }),
    ).rejects.toMatchObject({
      code: 'position_diverged',
    })
  })
})

test('a copy that continues an entry of this process ends it, and the error names the copy', async () => {
  const storage = new MemoryStorage()
  const own = await leader(storage, 1, 'a')
  await append(own, storage, 1, 1, 3)
  await appendOne(await leader(storage, 1, 'a'), storage, 1, 4)
  const error = { code: 'archive_fenced', message: expect.stringContaining('a copy of this primary') }
  await expect(own.append({ head: at(1, 5), added: [], removed: [] })).rejects.toMatchObject(error)
})

test('a store that says a number is taken and has nothing there ends no primary', async () => {
  const storage = new MemoryStorage()
  const own = await leader(storage, 1, 'a')
  await append(own, storage, 1, 1, 3)
  const { create } = storage
  storage.create = async () => false
  await expect(appendOne(own, storage, 1, 4)).rejects.toMatchObject(GIVEN_UP)
  storage.create = create
  await goOn(own, storage, 4)
  expect(await headOf(storage)).toBe(4)
})
