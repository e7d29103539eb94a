/** A primary that slept while another one led the archive wins nothing that counts, and a crash leaves nothing that misleads. */
import { describe, expect, test } from 'vitest'
import { claim } from '../../../../primary/archiver/chain/claim.ts'
import { proveArrival } from '../../../../primary/archiver/files/heartbeat.ts'
import { retain } from '../../../../primary/archiver/files/retain.ts'
import { highestClaim } from '../../../../shared/archive/epoch-claim.ts'
import { claimEpoch } from '../../../../primary/archiver/chain/claim-epoch.ts'
import { type ArchivedFile, epochKey, manifestKey, segmentKey } from '../../../../shared/archive/layout.ts'
import { ManifestWriter } from '../../../../primary/archiver/chain/manifest-writer.ts'
import { readManifest } from '../../../../shared/archive/read-chain.ts'
import { systemClock } from '../../../../shared/clock.ts'
import { ed25519Private, ed25519PublicKey } from '../../../../shared/crypto.ts'
import { checksum, epoch, timeline, txid } from '../../../../shared/ids.ts'
import { RESTORE_TXID_JUMP } from '../../../../shared/limits.ts'
import type { Position } from '../../../../shared/position.ts'
import { MemoryStorage } from '../../../shared/archive/memory.ts'

const SEED = Buffer.alloc(32, 7)
const KEY = { privateKey: ed25519Private(SEED), publicKey: ed25519PublicKey(SEED) }
const DELETES_ALL = { windowMs: 1e15, keepMs: 1e15, bytesMax: 1e15, filesMax: 1e9 }
const BASE_AFTER = 12

const sameTime = (): number => 1

function placeOf(
  of: number,
  letter: string,
): { cluster: string; epoch: ReturnType<typeof epoch>; timeline: ReturnType<typeof timeline> } {
  return { cluster: 'c', epoch: epoch(of), timeline: timeline(letter.repeat(32)) }
}

async function claimed(storage: MemoryStorage, of: number, letter: string): Promise<void> {
  await claimEpoch(storage, { ...placeOf(of, letter), atMs: 1 }, KEY)
}

function writerOf(storage: MemoryStorage, of: number, letter: string, baseAfter: number = BASE_AFTER): ManifestWriter {
  return new ManifestWriter({ storage, ...placeOf(of, letter), signingKey: KEY, wallMs: sameTime, baseAfter })
}

async function leader(storage: MemoryStorage, of: number, letter: string, baseAfter?: number): Promise<ManifestWriter> {
  await claimed(storage, of, letter)
  const writer = writerOf(storage, of, letter, baseAfter)
  await writer.load()
  return writer
}

function at(of: number, number: number): Position {
  return { epoch: epoch(of), txid: txid(number), checksum: checksum((1n << 63n) + 1n) }
}

function file(storage: MemoryStorage, level: number, first: number, last: number, of: number): ArchivedFile {
  const range = { minTxid: txid(first), maxTxid: txid(last) }
  const key = segmentKey(level, range)
  storage.objects.set(key, Buffer.from('x'))
  const common = { bytes: 1, timestampMs: 1, sha256: '0'.repeat(64), epoch: epoch(of), postApply: checksum(1n << 63n) }
  return { ...range, ...common, key, level }
}

async function appendOne(writer: ManifestWriter, storage: MemoryStorage, of: number, number: number): Promise<void> {
  await writer.append({ head: at(of, number), added: [file(storage, 0, number, number, of)], removed: [] })
}

async function append(
  writer: ManifestWriter,
  storage: MemoryStorage,
  of: number,
  first: number,
  last: number,
): Promise<void> {
  for (let number = first; number <= last; number += 1) await appendOne(writer, storage, of, number)
}

/** As a restore's primary does: it takes the chain over, merges, and goes on past a base. */
async function leadPastBase(
  storage: MemoryStorage,
  of: number,
  letter: string,
): Promise<{ merged: ArchivedFile; head: number }> {
  const successor = await leader(storage, of, letter)
  const taken = successor.state.seq
  await successor.append({ head: undefined, added: [], removed: [] })
  const level0 = [...successor.state.files.values()].filter(({ level }) => level === 0)
  const merged = file(storage, 1, 1, 5, of)
  for (const { key } of level0) storage.objects.delete(key)
  await successor.append({ head: at(of, 6), added: [merged], removed: level0 })
  let head = 6
  while (successor.state.base.seq <= taken + 2) await appendOne(successor, storage, of, (head += 1))
  return { merged, head }
}

const numbersIn = (storage: MemoryStorage): string[] =>
  [...storage.objects.keys()].filter((key) => key.startsWith('macaroond/manifest/')).toSorted()

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
    expect(await own.ensureClaim()).toBe(true)
    expect(await own.ensureClaim()).toBe(false)
    expect((await readManifest(storage, KEY.publicKey)).seq).toBe(2)
    storage.objects.delete(epochKey(epoch(1)))
    await claimed(storage, 1, 'b')
    await expect(own.ensureClaim()).rejects.toMatchObject({ code: 'archive_fenced' })
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

  /** As the primary of a restored database finds the archive at its start. */
  async function lateIn(storage: MemoryStorage, of: number, base: number): Promise<string | undefined> {
    const manifest = writerOf(storage, of, 'd')
    const source = {
      timeline: placeOf(of, 'd').timeline,
      base: txid(base),
      head: at(of, base),
      segment: () => undefined,
      checksumAt: () => undefined,
      pin: () => {
        throw new Error('nothing is read')
      },
    }
    const { lateTransactions } = await claim({
      cluster: 'c',
      storage,
      manifest,
      source,
      signingKey: KEY,
      nowMs: 1,
      timers: systemClock,
      known: undefined,
      mayRepair: false,
      filesBad: false,
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
})
