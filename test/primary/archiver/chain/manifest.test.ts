/** Whoever can write the archive, but has no key, can forge, drop, move or replay nothing unnoticed. */
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { DirectoryStorage } from '../../../../shared/archive/directory.ts'
import { highestClaim } from '../../../../shared/archive/epoch-claim.ts'
import { claimEpoch, requireCreateIfAbsent } from '../../../../primary/archiver/chain/claim-epoch.ts'
import { type ArchivedFile, segmentKey } from '../../../../shared/archive/layout.ts'
import { ManifestWriter } from '../../../../primary/archiver/chain/manifest-writer.ts'
import { readManifest } from '../../../../shared/archive/read-chain.ts'
import type { ArchiveStorage } from '../../../../shared/archive/storage.ts'
import { systemEntropy } from '../../../../shared/clock.ts'
import { ed25519Private, ed25519PublicKey } from '../../../../shared/crypto.ts'
import { checksum, epoch, timeline, txid } from '../../../../shared/ids.ts'

const KEY = keyOf(1)
const OTHER = keyOf(2)

function keyOf(byte: number): { publicKey: Buffer; privateKey: ReturnType<typeof ed25519Private> } {
  const seed = Buffer.alloc(32, byte)
  return { publicKey: ed25519PublicKey(seed), privateKey: ed25519Private(seed) }
}

function file(number: number): ArchivedFile {
  const range = { minTxid: txid(number), maxTxid: txid(number) }
  const common = { bytes: 7, timestampMs: 5, sha256: 'b'.repeat(64), epoch: epoch(1), postApply: checksum(1n << 63n) }
  return { ...range, ...common, key: segmentKey(0, range), level: 0 }
}

async function archive(): Promise<{ storage: ArchiveStorage; entries: string }> {
  const path = mkdtempSync(join(tmpdir(), 'macaroond-manifest-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return { storage: await DirectoryStorage.open(path), entries: join(path, 'macaroond/manifest') }
}

interface Leader {
  readonly of?: number
  readonly line?: string
  readonly key?: typeof KEY
  readonly cluster?: string
}

function writer(
  storage: ArchiveStorage,
  { of = 1, line = 'aa', key = KEY, cluster = 'test' }: Leader = {},
): ManifestWriter {
  const place = { epoch: epoch(of), timeline: timeline(line.repeat(16)) }
  return new ManifestWriter({ storage, cluster, ...place, signingKey: key, wallMs: () => 1_000 })
}

/** A writer whose epoch is claimed, as a primary's start does it. */
async function leader(storage: ArchiveStorage, lead: Leader = {}): Promise<ManifestWriter> {
  const { of = 1, line = 'aa', key = KEY, cluster = 'test' } = lead
  const claim = { cluster, epoch: epoch(of), timeline: timeline(line.repeat(16)), atMs: 1 }
  await claimEpoch(storage, claim, key)
  const own = writer(storage, lead)
  await own.load()
  return own
}

async function written(storage: ArchiveStorage, count: number): Promise<ManifestWriter> {
  const own = await leader(storage)
  for (let number = 1; number <= count; number += 1) {
    const head = { epoch: epoch(1), txid: txid(number), checksum: checksum(1n << 63n) }
    await own.append({ head, added: [file(number)], removed: [] })
  }
  return own
}

const keysOf = async (storage: ArchiveStorage): Promise<string[]> => [
  ...(await readManifest(storage, KEY.publicKey)).files.keys(),
]

describe('a manifest', () => {
  test('says what was added and not removed, to a reader who has the key', async () => {
    const { storage } = await archive()
    const own = await written(storage, 4)
    await own.append({ head: own.state.head, added: [], removed: [file(2)] })
    expect(await keysOf(storage)).toEqual([file(1).key, file(3).key, file(4).key])
    const { head } = await readManifest(storage, KEY.publicKey)
    expect(head?.txid).toBe(4)
  })

  test('goes on after a base that repeats it, and after a crash between a base and the deletions', async () => {
    const { storage, entries } = await archive()
    const own = await written(storage, 5)
    const before = readdirSync(entries).map((name): [string, Buffer] => [name, readFileSync(join(entries, name))])
    await own.writeBase()
    expect(readdirSync(entries)).toHaveLength(1)
    expect(await keysOf(storage)).toHaveLength(5)
    await own.append({ head: own.state.head, added: [file(6)], removed: [] })
    for (const [name, bytes] of before.slice(0, 3)) writeFileSync(join(entries, name), bytes)
    expect(await keysOf(storage)).toHaveLength(6)
    await own.writeBase()
    expect(readdirSync(entries)).toHaveLength(1)
  })

  test('after many changes a base is written by itself', async () => {
    const { storage, entries } = await archive()
    await written(storage, 520)
    expect(readdirSync(entries).length).toBeLessThan(30)
    expect(await keysOf(storage)).toHaveLength(520)
  })

  test('with any entry changed, cut, dropped, moved or put back twice, is refused', async () => {
    const { storage, entries } = await archive()
    await written(storage, 4)
    const names = readdirSync(entries).toSorted()
    const path = (index: number): string => join(entries, names[index] ?? '')
    const [first, second, third] = [0, 1, 2].map((index) => readFileSync(path(index))) as [Buffer, Buffer, Buffer]
    const refused = async (what: string): Promise<void> => {
      await expect(readManifest(storage, KEY.publicKey), what).rejects.toMatchObject({ code: 'archive_damaged' })
      for (const [index, bytes] of [first, second, third].entries()) writeFileSync(path(index), bytes)
    }
    for (let at = 0; at < second.length; at += 7) {
      const flipped = Buffer.from(second)
      flipped[at] = (flipped[at] ?? 0) ^ 4
      writeFileSync(path(1), flipped)
      await refused(`bit flipped at ${at}`)
    }
    writeFileSync(path(1), second.subarray(0, second.length - 20))
    await refused('cut')
    rmSync(path(1))
    await refused('dropped')
    writeFileSync(path(1), third)
    await refused('another in its place')
    renameSync(path(0), join(entries, 'x'))
    renameSync(path(1), path(0))
    renameSync(join(entries, 'x'), path(1))
    await refused('moved')
    expect(await keysOf(storage)).toHaveLength(4)
  })

  test('of another authority is not believed, whatever it says', async () => {
    const { storage } = await archive()
    await writer(storage, { key: OTHER }).append({ head: undefined, added: [file(1)], removed: [] })
    await expect(readManifest(storage, KEY.publicKey)).rejects.toMatchObject({ code: 'archive_damaged' })
  })

  test('two primaries cannot both go on with it: the second one is fenced and writes nothing', async () => {
    const { storage } = await archive()
    const old = await written(storage, 2)
    const successor = await leader(storage, { of: 2, line: 'bb' })
    await successor.append({ head: undefined, added: [file(9)], removed: [] })
    const change = { head: old.state.head, added: [file(3)], removed: [] }
    await expect(old.append(change)).rejects.toMatchObject({ code: 'archive_fenced' })
    await expect(old.load()).rejects.toMatchObject({ code: 'archive_fenced' })
    expect(await keysOf(storage)).toEqual([file(1).key, file(2).key, file(9).key])
  })

  test('an entry whose answer was lost is recognised as one’s own', async () => {
    const { storage } = await archive()
    const lossy: ArchiveStorage = {
      ...bound(storage),
      create: async (key, bytes) => {
        await storage.create(key, bytes)
        return storage.create(key, bytes)
      },
    }
    const own = await leader(lossy)
    await own.append({ head: undefined, added: [file(1)], removed: [] })
    expect(await keysOf(storage)).toEqual([file(1).key])
  })

  test('of another cluster is refused', async () => {
    const { storage } = await archive()
    await written(storage, 1)
    await expect(writer(storage, { cluster: 'other' }).load()).rejects.toMatchObject({ code: 'wrong_cluster' })
  })
})

describe('an epoch', () => {
  const claim = (of: number, line: string, cluster = 'test'): Parameters<typeof claimEpoch>[1] => {
    return { cluster, epoch: epoch(of), timeline: timeline(line.repeat(16)), atMs: 1 }
  }

  test('is claimed once: the first of two databases restored from one archive always leads', async () => {
    const { storage } = await archive()
    await claimEpoch(storage, claim(1, 'aa'), KEY)
    const both = await Promise.allSettled([
      claimEpoch(storage, claim(2, 'bb'), KEY),
      claimEpoch(storage, claim(2, 'cc'), KEY),
    ])
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    const winner = both[0]?.status === 'fulfilled' ? 'bb' : 'cc'
    await claimEpoch(storage, claim(2, winner), KEY)
    expect((await highestClaim(storage, KEY.publicKey))?.timeline).toBe(winner.repeat(16))
  })

  test('below one that is claimed is fenced, and a claim that is not signed is no claim', async () => {
    const { storage } = await archive()
    await claimEpoch(storage, claim(3, 'aa'), KEY)
    await expect(claimEpoch(storage, claim(2, 'bb'), KEY)).rejects.toMatchObject({ code: 'archive_fenced' })
    await expect(claimEpoch(storage, claim(4, 'bb'), OTHER)).rejects.toMatchObject({ code: 'archive_damaged' })
    await expect(claimEpoch(storage, claim(3, 'aa', 'other'), KEY)).rejects.toMatchObject({ code: 'wrong_cluster' })
  })

  test('writes nothing into the archive of another cluster', async () => {
    const { storage } = await archive()
    await claimEpoch(storage, claim(3, 'aa'), KEY)
    const before = await storage.list('')
    await expect(claimEpoch(storage, claim(6, 'bb', 'other'), KEY)).rejects.toMatchObject({ code: 'wrong_cluster' })
    expect(await storage.list('')).toEqual(before)
  })

  test('needs a store that keeps the condition it accepts', async () => {
    const { storage } = await archive()
    await requireCreateIfAbsent(storage, systemEntropy)
    const careless: ArchiveStorage = {
      ...bound(storage),
      create: async (key, bytes) => {
        await storage.put(key, bytes, 1)
        return true
      },
    }
    await expect(requireCreateIfAbsent(careless, systemEntropy)).rejects.toMatchObject({ code: 'platform_unsupported' })
  })
})

/** The methods of an object as values, so that single ones can be replaced. */
function bound(storage: ArchiveStorage): ArchiveStorage {
  return {
    location: storage.location,
    isBucket: storage.isBucket,
    list: (prefix) => storage.list(prefix),
    get: (key, range) => storage.get(key, range),
    put: (key, content, timestampMs) => storage.put(key, content, timestampMs),
    create: (...args) => storage.create(...args),
    delete: (key) => storage.delete(key),
    sweep: () => storage.sweep(),
  }
}
