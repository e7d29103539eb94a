/** A crash between deletions, or what lies below the newest base, misleads nobody about the end of a chain. */
import { describe, expect, test } from 'vitest'
import { retain } from '../../../../primary/archiver/files/retain.ts'
import { manifestKey } from '../../../../shared/archive/layout.ts'
import { readManifest } from '../../../../shared/archive/read-chain.ts'
import { epoch, txid } from '../../../../shared/ids.ts'
import { RESTORE_TXID_JUMP } from '../../../../shared/limits.ts'
import { MemoryStorage } from '../../../shared/archive/memory.ts'
import { append, at, claimArchive, DELETES_ALL, file, KEY, leader, numbersIn, sourceOf, writerOf } from './leaders.ts'

describe('the end of a chain', () => {
  /** Entries 1 to 5, a base at 6, entries to 9. */
  async function withBase(): Promise<{ storage: MemoryStorage; before: ReadonlyMap<string, Buffer> }> {
    const storage = new MemoryStorage()
    const writer = await leader(storage, 1, 'a', 1_000)
    await append(writer, storage, 1, 1, 5)
    const before = new Map(storage.objects)
    await writer.writeBase()
    await append(writer, storage, 1, 6, 8)
    return { storage, before }
  }

  const headOf = async (storage: MemoryStorage): Promise<number | undefined> =>
    (await readManifest(storage, KEY.publicKey)).head?.txid

  test('is found after a crash at every deletion, and the next base deletes what is left', async () => {
    for (let deletions = 0; deletions <= 5; deletions += 1) {
      const storage = new MemoryStorage()
      const writer = await leader(storage, 1, 'a', 1_000)
      await append(writer, storage, 1, 1, 5)
      let left = deletions
      storage.before = (call) => {
        if (call === 'delete' && (left -= 1) < 0) throw new Error('killed')
      }
      const ended = await writer.writeBase().catch((error: Error) => error.message)
      expect(ended).toBe(deletions < 5 ? 'killed' : undefined)
      expect(numbersIn(storage)).toEqual(
        Array.from({ length: 6 - deletions }, (_, index) => manifestKey(deletions + 1 + index)),
      )
      storage.before = () => undefined
      expect(await headOf(storage), `${deletions} deleted`).toBe(5)
      const next = await leader(storage, 1, 'a', 1_000)
      await append(next, storage, 1, 6, 6)
      await next.writeBase()
      expect(numbersIn(storage)).toEqual([manifestKey(8)])
    }
  })

  test('is not moved by anything that lies below the newest base, whatever it is', async () => {
    const { storage, before } = await withBase()
    const whole = await headOf(storage)
    for (const [name, bytes] of [
      ['an old entry', before.get(manifestKey(3))!],
      ['bytes that are no entry', Buffer.from('not an entry')],
      ['an empty file', Buffer.alloc(0)],
      ['an entry that was moved', before.get(manifestKey(1))!],
    ] as const) {
      for (const number of [1, 3, 5]) {
        storage.objects.set(manifestKey(number), bytes)
        expect(await headOf(storage), `${name} at ${number}`).toBe(whole)
        storage.objects.delete(manifestKey(number))
      }
    }
  })

  test('is not looked for below a hole: an entry removed above the base is damage', async () => {
    for (const number of [6, 7, 8]) {
      const { storage, before } = await withBase()
      for (const [key, bytes] of before) storage.objects.set(key, bytes)
      storage.objects.delete(manifestKey(number))
      const message =
        number === 6 ? /does not follow|is missing/ : new RegExp(`entry ${number} of the manifest is missing`)
      await expect(readManifest(storage, KEY.publicKey), `entry ${number}`).rejects.toThrow(message)
    }
  })

  test('is damaged by a file with a higher number that is no entry, and by a hole before it', async () => {
    const { storage } = await withBase()
    storage.objects.set(manifestKey(10), Buffer.from('no entry'))
    await expect(readManifest(storage, KEY.publicKey)).rejects.toMatchObject({ code: 'archive_damaged' })
    storage.objects.delete(manifestKey(10))
    storage.objects.set(manifestKey(900), storage.objects.get(manifestKey(9))!)
    await expect(readManifest(storage, KEY.publicKey)).rejects.toMatchObject({ code: 'archive_damaged' })
  })

  test('stays where it is when an old base is put back', async () => {
    const storage = new MemoryStorage()
    const writer = await leader(storage, 1, 'a', 1_000)
    await append(writer, storage, 1, 1, 2)
    await writer.writeBase()
    const [oldBase] = numbersIn(storage)
    const bytes = storage.objects.get(oldBase!)!
    await append(writer, storage, 1, 3, 4)
    await writer.writeBase()
    await append(writer, storage, 1, 5, 5)
    storage.objects.set(oldBase!, bytes)
    expect(await headOf(storage)).toBe(5)
  })

  test('is found when lists come late, also over a base that is not listed yet', async () => {
    const { storage } = await withBase()
    const { list } = storage
    storage.list = async (prefix) => (await list(prefix)).filter(({ key }) => !/00000[89]\.json$/.test(key))
    expect(await headOf(storage)).toBe(8)
  })
})

test('a deletion that comes late deletes no name that a later primary gives again', async () => {
  const storage = new MemoryStorage()
  const old = await leader(storage, 1, 'a', 1_000)
  await append(old, storage, 1, 1, 5)
  // A crash came between a merged file, a snapshot, a transaction, and the entries that would have named them.
  const [merge, snapshot, single] = [file(storage, 1, 1, 5, 1), file(storage, 9, 1, 5, 1), file(storage, 0, 2, 3, 1)]
  await retain({ storage, manifest: old }, DELETES_ALL, 1)
  expect([merge, snapshot, single].map(({ key }) => storage.objects.has(key))).toEqual([true, true, false])
  await old.append({ head: at(1, 6), added: [file(storage, 1, 1, 6, 1), file(storage, 0, 6, 6, 1)], removed: [] })
  await retain({ storage, manifest: old }, DELETES_ALL, 1)
  expect([merge, snapshot].map(({ key }) => storage.objects.has(key))).toEqual([false, false])
})

describe('transactions that an earlier primary archived after a restore had read the archive', () => {
  const jump = RESTORE_TXID_JUMP

  /** As the primary of a restored database finds the archive at its start; `before`: where the epochs before it began. */
  async function lateIn(
    storage: MemoryStorage,
    of: number,
    base: number,
    before: Readonly<Record<number, number>> = {},
  ): Promise<string | undefined> {
    const bases = new Map(Object.entries({ ...before, [of]: base }).map(([key, at]) => [epoch(Number(key)), txid(at)]))
    const { lateTransactions } = await claimArchive(writerOf(storage, of, 'd'), storage, [of, 'd', base], {
      source: sourceOf(of, 'd', base, { bases }),
    })
    return lateTransactions
  }

  test('are named at every start, as long as the archive has them', async () => {
    const storage = new MemoryStorage()
    await append(await leader(storage, 1, 'a'), storage, 1, 1, 7)
    expect(await lateIn(new MemoryStorage(new Map(storage.objects)), 2, 7 + jump)).toBeUndefined()
    for (let start = 1; start <= 2; start += 1)
      expect(await lateIn(storage, 2, 5 + jump)).toBe('transactions 6-7 of epoch 1')
  })

  test('are told apart from those of an epoch that the restore had seen claimed, and nothing of it', async () => {
    const storage = new MemoryStorage()
    await append(await leader(storage, 1, 'a'), storage, 1, 1, 5)
    // Epoch 2 was restored from there, and had archived nothing when epoch 3 was.
    await append(await leader(storage, 2, 'b'), storage, 2, 5 + jump, 5 + jump + 2)
    expect(await lateIn(storage, 3, 5 + 2 * jump)).toBe(`transactions ${5 + jump + 1}-${5 + jump + 2} of epoch 2`)
  })

  test('are named after the next restore as well, and after the one that follows it', async () => {
    const storage = new MemoryStorage()
    const first = await leader(storage, 1, 'a')
    await append(first, storage, 1, 1, 7)
    const second = 5 + jump
    expect(await lateIn(storage, 2, second, { 1: 0 })).toBe('transactions 6-7 of epoch 1')
    const own = writerOf(storage, 2, 'd')
    await own.load()
    await append(own, storage, 2, second + 1, second + 9)
    const third = second + 9 + jump
    for (let start = 1; start <= 2; start += 1)
      expect(await lateIn(storage, 3, third, { 1: 0, 2: second })).toBe('transactions 6-7 of epoch 1')
    expect(await lateIn(storage, 4, third + jump, { 1: 0, 2: second, 3: third })).toBe('transactions 6-7 of epoch 1')
  })
})
