/** Somebody without a key can foresee the next merged file, and put it into the archive with another time. */
import { describe, expect, test } from 'vitest'
import { compact } from '../../../../primary/archiver/files/compact.ts'
import { createFile, outgoingOf } from '../../../../primary/archiver/files/outgoing.ts'
import { planRetention } from '../../../../primary/archiver/files/retention-plan.ts'
import { type ArchivedFile, segmentKey } from '../../../../shared/archive/layout.ts'
import { planRestore } from '../../../../shared/archive/restore-plan.ts'
import { systemClock } from '../../../../shared/clock.ts'
import { checksum, epoch, txid } from '../../../../shared/ids.ts'
import { decodeSegment } from '../../../../shared/ltx/decoder.ts'
import { encodeSegment } from '../../../../shared/ltx/encoder.ts'
import { MemoryStorage } from '../../../shared/archive/memory.ts'
import { FIELDS, PAGE_SIZE } from '../../../shared/ltx/arbitraries.ts'
import { leader } from '../chain/leaders.ts'

const DAY_MS = 86_400_000
const NOW_MS = 1_800_000_000_000
const FIRST = 11
const LAST = 25
const SNAPSHOT = { minTxid: txid(1), maxTxid: txid(FIRST - 1) }
const RULES = { windowMs: 7 * DAY_MS, keepMs: 1_000 * DAY_MS, filesMax: 1e9, bytesMax: 1e15 }
const CENTURIES_AHEAD_MS = NOW_MS + 100_000 * DAY_MS

const checksumOf = (number: number): ReturnType<typeof checksum> => checksum((1n << 63n) + BigInt(number))
const timeOf = (number: number): number => NOW_MS - 100 * DAY_MS + number * 60_000

function segment(number: number): Buffer {
  const range = { minTxid: txid(number), maxTxid: txid(number), epoch: epoch(1), timestampMs: timeOf(number) }
  const checksums = { preApply: checksumOf(number - 1), postApply: checksumOf(number) }
  return encodeSegment({ ...FIELDS, ...range, ...checksums, commit: 9 }, [
    { pgno: 2, data: Buffer.alloc(PAGE_SIZE, number) },
  ])
}

/** The merge reads the files of this level only, so the snapshot needs no content. */
async function archived(storage: MemoryStorage): ReturnType<typeof leader> {
  const manifest = await leader(storage, 1, 'a')
  const added: ArchivedFile[] = [
    { ...outgoingOf(9, segment(FIRST - 1)).file, ...SNAPSHOT, key: segmentKey(9, SNAPSHOT) },
  ]
  for (let number = FIRST; number <= LAST; number += 1)
    added.push(await createFile(storage, outgoingOf(0, segment(number))))
  await manifest.append({ head: undefined, added, removed: [] })
  return manifest
}

async function merge(storage: MemoryStorage, manifest: Awaited<ReturnType<typeof leader>>): Promise<ArchivedFile[]> {
  await compact({ storage, manifest, timers: systemClock }, 1)
  return [...manifest.state.files.values()]
}

/** Merges a copy of the archive, as the primary will do, and puts the result there with another time. */
async function plant(storage: MemoryStorage, timestampMs: number): Promise<void> {
  const copy = new MemoryStorage(new Map(storage.objects))
  const merged = mergedOf(await merge(copy, await leader(copy, 1, 'a')))
  const { header, pages } = decodeSegment(copy.objects.get(merged.key)!)
  storage.objects.set(merged.key, encodeSegment({ ...header, timestampMs }, pages))
}

function mergedOf(files: readonly ArchivedFile[]): ArchivedFile {
  return files.find(({ level }) => level === 1)!
}

describe.each([1, CENTURIES_AHEAD_MS])('a merged file that somebody puts there with time %s', (plantedMs) => {
  async function files(): Promise<{ files: ArchivedFile[]; storage: MemoryStorage }> {
    const storage = new MemoryStorage()
    const manifest = await archived(storage)
    await plant(storage, plantedMs)
    return { files: await merge(storage, manifest), storage }
  }

  test('is replaced by the primary’s own, with the time of its last transaction', async () => {
    const { files: all, storage } = await files()
    const merged = mergedOf(all)
    expect(merged.timestampMs).toBe(timeOf(LAST))
    expect(decodeSegment(storage.objects.get(merged.key)!).header.timestampMs).toBe(timeOf(LAST))
  })

  test('does not stop retention, and a restore to an earlier time has no transaction of it', async () => {
    const { files: all } = await files()
    expect(planRetention(all, RULES, NOW_MS).remove).toHaveLength(LAST - FIRST + 1)
    const atMs = timeOf(FIRST) - 1
    expect(planRestore(all, { kind: 'time', atMs }, NOW_MS).point.txid).toBe(FIRST - 1)
  })
})
