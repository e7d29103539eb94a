/** The signed remainder of an archive with a damaged manifest is named and can be used. Nothing unsigned can. */
import { describe, expect, test } from 'vitest'
import { claimEpoch } from '../../../primary/archiver/chain/claim-epoch.ts'
import { type ArchivedFile, epochKey, LEVEL_SNAPSHOT, manifestKey, segmentKey } from '../../../shared/archive/layout.ts'
import { ManifestWriter } from '../../../primary/archiver/chain/manifest-writer.ts'
import { restorableRanges } from '../../../shared/archive/restore-plan.ts'
import { filesThere, salvageManifest } from '../../../shared/archive/salvage.ts'
import { ed25519Private, ed25519PublicKey } from '../../../shared/crypto.ts'
import { checksum, epoch, timeline, txid } from '../../../shared/ids.ts'
import { MemoryStorage } from './memory.ts'

const SEED = Buffer.alloc(32, 7)
const KEY = { privateKey: ed25519Private(SEED), publicKey: ed25519PublicKey(SEED) }
const PLACE = { cluster: 'c', epoch: epoch(1), timeline: timeline('a'.repeat(32)) }

function file(level: number, first: number, last: number): ArchivedFile {
  const range = { minTxid: txid(first), maxTxid: txid(last) }
  const common = {
    bytes: 1,
    timestampMs: last,
    sha256: '0'.repeat(64),
    epoch: epoch(1),
    postApply: checksum(1n << 63n),
  }
  return { ...range, ...common, key: segmentKey(level, range), level }
}

/** Entry 1 names a snapshot of transaction 1, each entry after it the transaction of its number. */
async function archiveOf(entries: number): Promise<{ storage: MemoryStorage; writer: ManifestWriter }> {
  const storage = new MemoryStorage()
  await claimEpoch(storage, { ...PLACE, atMs: 1 }, KEY)
  const writer = new ManifestWriter({ storage, ...PLACE, signingKey: KEY, wallMs: () => 1, baseAfter: 1_000 })
  await writer.load()
  for (let number = 1; number <= entries; number += 1) {
    const added = [number === 1 ? file(LEVEL_SNAPSHOT, 1, 1) : file(0, number, number)]
    for (const { key } of added) storage.objects.set(key, Buffer.from('x'))
    const head = { epoch: epoch(1), txid: txid(number), checksum: checksum((1n << 63n) + 1n) }
    await writer.append({ head, added, removed: [] })
  }
  return { storage, writer }
}

const NAMED = { 'entry 4': /entry 4 of the manifest .* is missing/, 'entries 3-5': /entries 3-5 of the manifest/ }

describe('a damaged manifest', () => {
  test('of which an entry is gone says everything that the others say, and names the one', async () => {
    const { storage } = await archiveOf(7)
    storage.objects.delete(manifestKey(4))
    const { state, problems, highest } = await salvageManifest(storage, KEY.publicKey)
    expect(problems).toEqual([expect.stringMatching(NAMED['entry 4'])])
    expect([state.seq, state.head?.txid, highest]).toEqual([7, 7, 7])
    const txids = [...state.files.values()].map(({ maxTxid }) => maxTxid)
    expect(txids).toEqual([1, 2, 3, 5, 6, 7])
    // What came after the hole needs the lost transaction, unless a snapshot follows.
    const ranges = restorableRanges([...state.files.values(), file(LEVEL_SNAPSHOT, 1, 6)])
    expect(ranges.map(({ first, last }) => [first.txid, last.txid])).toEqual([
      [1, 3],
      [6, 7],
    ])
  })

  test('names all that is wrong, not only what comes first', async () => {
    const { storage } = await archiveOf(9)
    for (const number of [3, 4, 5]) storage.objects.delete(manifestKey(number))
    storage.objects.set(manifestKey(7), Buffer.alloc(0))
    storage.objects.set(manifestKey(8), storage.objects.get(manifestKey(2))!)
    storage.objects.set(manifestKey(10), Buffer.from('<html>'))
    storage.objects.delete(epochKey(epoch(1)))
    const { state, problems } = await salvageManifest(storage, KEY.publicKey)
    expect(problems).toHaveLength(5)
    for (const word of [NAMED['entries 3-5'], /is empty/, /holds entry 2/, /is cut off/, /claim of epoch 1 is missing/])
      expect(
        problems.some((problem) => word.test(problem)),
        String(word),
      ).toBe(true)
    expect([...state.files.values()].map(({ maxTxid }) => maxTxid)).toEqual([1, 2, 6, 9])
  })

  test('whose base is lost says what came after it, and that more was before', async () => {
    const { storage, writer } = await archiveOf(5)
    await writer.writeBase()
    const added = [file(0, 6, 6)]
    await writer.append({ head: writer.state.head, added, removed: [] })
    storage.objects.delete(manifestKey(6))
    const { state, problems } = await salvageManifest(storage, KEY.publicKey)
    expect(problems).toEqual([expect.stringMatching(/entries 1-6 of the manifest are missing/)])
    expect([...state.files.keys()]).toEqual(added.map(({ key }) => key))
  })

  test('begins at its newest base: what a crash left below it is not wrong', async () => {
    const { storage, writer } = await archiveOf(5)
    const old = storage.objects.get(manifestKey(2))!
    await writer.writeBase()
    await writer.append({ head: writer.state.head, added: [file(0, 6, 6)], removed: [] })
    storage.objects.set(manifestKey(2), old)
    storage.objects.set(manifestKey(8), Buffer.alloc(0))
    const { state, problems } = await salvageManifest(storage, KEY.publicKey)
    expect(problems).toEqual([expect.stringContaining('is empty')])
    expect(state.files.size).toBe(6)
  })

  test('counts no entry of a timeline that did not claim its epoch', async () => {
    const [{ storage }, elsewhere] = [await archiveOf(3), new MemoryStorage()]
    const other = { ...PLACE, timeline: timeline('b'.repeat(32)) }
    await claimEpoch(elsewhere, { ...other, atMs: 1 }, KEY)
    storage.objects.set(epochKey(epoch(1)), elsewhere.objects.get(epochKey(epoch(1)))!)
    await expect(salvageManifest(storage, KEY.publicKey)).rejects.toMatchObject({ code: 'archive_damaged' })
  })

  test('of which nothing can be read is damaged, because it may be of another authority', async () => {
    const { storage } = await archiveOf(3)
    const foreign = ed25519PublicKey(Buffer.alloc(32, 8))
    await expect(salvageManifest(storage, foreign)).rejects.toMatchObject({ code: 'archive_damaged' })
  })

  test('that is whole has no problem', async () => {
    const { storage } = await archiveOf(3)
    expect(await salvageManifest(storage, KEY.publicKey)).toMatchObject({ problems: [], highest: 3 })
  })
})

test('a named file counts if it is there with its size', async () => {
  const { storage } = await archiveOf(4)
  const { state } = await salvageManifest(storage, KEY.publicKey)
  storage.objects.delete(file(0, 2, 2).key)
  storage.objects.set(file(0, 3, 3).key, Buffer.alloc(0))
  const there = await filesThere(storage, state.files.values())
  expect(there.map(({ maxTxid }) => maxTxid)).toEqual([1, 4])
})
