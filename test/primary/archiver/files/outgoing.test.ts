/** A new file of the archive replaces no other one. */
import { describe, expect, test } from 'vitest'
import { createFile, outgoingOf } from '../../../../primary/archiver/files/outgoing.ts'
import { epoch, txid } from '../../../../shared/ids.ts'
import { encodeSegment } from '../../../../shared/ltx/encoder.ts'
import { EMPTY_CHECKSUM } from '../../../../shared/ltx/rolling-checksum.ts'
import { MemoryStorage } from '../../../shared/archive/memory.ts'
import { FIELDS, PAGE_SIZE } from '../../../shared/ltx/arbitraries.ts'

const RANGE = { minTxid: txid(5), maxTxid: txid(5) }
const CHECKSUMS = { preApply: EMPTY_CHECKSUM, postApply: EMPTY_CHECKSUM }

function segment(fill: number, changed: Partial<typeof FIELDS> = {}): Buffer {
  const fields = { ...FIELDS, ...RANGE, ...CHECKSUMS, epoch: epoch(1), commit: 9, ...changed }
  return encodeSegment(fields, [{ pgno: 2, data: Buffer.alloc(PAGE_SIZE, fill) }])
}

const OWN = outgoingOf(0, segment(7))

async function storageWith(existing: Buffer): Promise<MemoryStorage> {
  const storage = new MemoryStorage()
  await storage.put(OWN.file.key, existing, 0)
  return storage
}

describe('a file that is uploaded to the archive', () => {
  test('is there afterwards, also if the answer of an earlier attempt was lost', async () => {
    const storage = new MemoryStorage()
    for (let attempt = 1; attempt <= 2; attempt += 1) expect(await createFile(storage, OWN)).toEqual(OWN.file)
    expect(storage.objects.get(OWN.file.key)).toEqual(OWN.bytes)
  })

  test.each([
    ['other pages under the same checksums', segment(8)],
    ['another epoch', segment(7, { epoch: epoch(2) })],
    ['another checksum', segment(7, { postApply: (EMPTY_CHECKSUM + 1n) as typeof EMPTY_CHECKSUM })],
  ])('does not replace a file of a copy of this primary: %s', async (_, other) => {
    const storage = await storageWith(other)
    await expect(createFile(storage, OWN)).rejects.toMatchObject({ code: 'archive_damaged' })
    expect(storage.objects.get(OWN.file.key)).toEqual(other)
  })

  test('is taken as it is there, if another version wrote the same pages differently', async () => {
    const other = segment(7, { walOffset: 32, walSize: 24 + PAGE_SIZE })
    const storage = await storageWith(other)
    expect(await createFile(storage, OWN)).toEqual(outgoingOf(0, other).file)
    expect(storage.objects.get(OWN.file.key)).toEqual(other)
  })

  test.each([1, 5_000_000_000_000])('is not taken from somebody who put the time %s on it', async (timestampMs) => {
    const storage = await storageWith(segment(7, { timestampMs, walOffset: 32, walSize: 24 + PAGE_SIZE }))
    expect(await createFile(storage, OWN)).toEqual(OWN.file)
    expect(storage.objects.get(OWN.file.key)).toEqual(OWN.bytes)
  })

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['a page of a proxy', Buffer.from('<html>')],
    ['a part of it', OWN.bytes.subarray(0, 120)],
  ])('replaces what is no file: %s', async (_, other) => {
    const storage = await storageWith(other)
    expect(await createFile(storage, OWN)).toEqual(OWN.file)
    expect(storage.objects.get(OWN.file.key)).toEqual(OWN.bytes)
  })
})
