/** An archive that lost something goes on: what the log has is put back, and a snapshot steps over what it has not. */
import { readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { manifestKey, segmentKey } from '../../../shared/archive/layout.ts'
import { readManifest } from '../../../shared/archive/read-chain.ts'
import { openArchive } from '../../../shared/archive/open-archive.ts'
import { verifyArchive } from '../../../shared/archive/verify-archive.ts'
import { type Txid, txid as asTxid } from '../../../shared/ids.ts'
import { Authority } from './authority.ts'

/** With every transaction in a file of its own, up to the returned one. */
async function archived(merge: boolean = false): Promise<{ authority: Authority; last: Txid }> {
  const authority = await Authority.create()
  await authority.claim()
  for (let number = 0; number < 6; number += 1) authority.grow(2)
  await authority.upload(merge)
  return { authority, last: authority.source.head.txid }
}

const level0 = ({ archive }: Authority, txid: number): string =>
  join(archive, segmentKey(0, { minTxid: asTxid(txid), maxTxid: asTxid(txid) }))

async function problemsOf(authority: Authority): Promise<readonly string[]> {
  const storage = await openArchive(authority.archive)
  const { files } = await readManifest(storage, authority.key.publicKey)
  const { bad } = await verifyArchive(storage, [...files.values()], () => undefined)
  return bad.map(({ problem }) => problem)
}

describe('a file of the archive that is gone or damaged', () => {
  for (const [what, harm] of [
    ['gone', (path: string) => rmSync(path)],
    ['cut', (path: string) => truncateSync(path, 50)],
    ['other bytes', (path: string, bytes: number) => writeFileSync(path, Buffer.alloc(bytes, 7))],
  ] as const) {
    test(`is put back from the log: ${what}`, async () => {
      const { authority, last } = await archived()
      const path = level0(authority, 4)
      const storage = await openArchive(authority.archive)
      const { bytes } = (await readManifest(storage, authority.key.publicKey)).files.get(segmentKey(0, four()))!
      harm(path, bytes)
      await expect(authority.compact(1)).rejects.toMatchObject({ code: 'archive_damaged' })
      const { repaired, needsSnapshot } = await authority.claimAgain({ filesBad: true })
      expect(repaired).toEqual([expect.stringContaining(segmentKey(0, four()))])
      expect(needsSnapshot).toBe(false)
      await authority.compact(1)
      expect(await problemsOf(authority)).toEqual([])
      expect((await authority.restored({ kind: 'txid', txid: last })).hash).toBe(authority.recorded.at(-1)!.hash)
    })
  }

  test('of merged transactions is put back as well, with the same bytes', async () => {
    const { authority } = await archived(true)
    const folder = join(authority.archive, 'ltx/0')
    for (const name of readdirSync(folder)) rmSync(join(folder, name))
    const { repaired } = await authority.claimAgain({ filesBad: true })
    expect(repaired).toHaveLength(1)
    expect(await problemsOf(authority)).toEqual([])
  })

  test('that the log no longer has is dropped from the manifest, and a snapshot replaces it', async () => {
    const { authority, last } = await archived()
    rmSync(level0(authority, 4))
    // As a start on a new log: what is older is nowhere.
    const segment = authority.source.segment.bind(authority.source)
    Object.assign(authority.source, { segment: (txid: Txid) => (txid < 6 ? undefined : segment(txid)) })
    const { repaired, needsSnapshot } = await authority.claimAgain({ filesBad: true })
    expect(repaired).toEqual([expect.stringContaining('removed from the manifest')])
    expect(needsSnapshot).toBe(true)
    expect(await problemsOf(authority)).toEqual([])
    await authority.compact(1)
    authority.grow(2)
    await authority.upload()
    expect((await authority.restored({ kind: 'txid', txid: last })).hash).toBe(authority.recorded.at(-2)!.hash)
    expect((await authority.restored({ kind: 'head' })).hash).toBe(authority.recorded.at(-1)!.hash)
  })
})

describe('a chain of entries that a restart finds damaged', () => {
  const wounds: Readonly<Record<string, (archive: string) => void>> = {
    'an entry is gone': (archive) => rmSync(join(archive, manifestKey(2))),
    'the newest entry is empty': (archive) => truncateSync(newest(archive), 0),
    'the newest entry is cut': (archive) => truncateSync(newest(archive), 60),
    'a page of a proxy has the next number': (archive) => writeFileSync(join(archive, manifestKey(99)), '<html>'),
  }

  test.each(Object.keys(wounds))('goes on after an operator has seen it, and not before: %s', async (wound) => {
    const { authority, last } = await archived()
    await authority.snapshot()
    wounds[wound]!(authority.archive)
    for (let start = 1; start <= 2; start += 1)
      await expect(authority.claimAnew()).rejects.toMatchObject({ code: 'archive_damaged' })
    const { repaired } = await authority.claimAnew({ mayRepair: () => true })
    expect(repaired.join(' ')).toMatch(/manifest/)
    authority.grow(2)
    await authority.upload()
    await authority.claim()
    expect(await problemsOf(authority)).toEqual([])
    expect((await authority.restored({ kind: 'txid', txid: last })).hash).toBe(authority.recorded.at(-2)!.hash)
    expect((await authority.restored({ kind: 'head' })).hash).toBe(authority.recorded.at(-1)!.hash)
  })

  test('without its newest entries is detected by what the database remembers', async () => {
    const { authority, last } = await archived()
    await authority.snapshot()
    const known = authority.manifest.newest!
    rmSync(newest(authority.archive))
    await expect(authority.claimAnew({ known })).rejects.toThrow(/entry 4 of the manifest is missing/)
    await authority.claimAnew({ known, mayRepair: () => true })
    expect(authority.manifest.newest!.entry).toBeGreaterThan(known.entry)
    expect((await authority.restored({ kind: 'txid', txid: last })).hash).toBe(authority.recorded.at(-1)!.hash)
  })

  test('is left to the primary that leads by now', async () => {
    const { authority } = await archived()
    rmSync(join(authority.archive, manifestKey(1)))
    await authority.claimedByAnother(2)
    const before = readdirSync(join(authority.archive, 'macaroond/manifest'))
    await expect(authority.claimAnew({ mayRepair: () => true })).rejects.toMatchObject({ code: 'archive_fenced' })
    expect(readdirSync(join(authority.archive, 'macaroond/manifest'))).toEqual(before)
  })

  test('is not repaired where a copy of this primary has written what the database remembers', async () => {
    const { authority } = await archived()
    const known = { entry: authority.manifest.newest!.entry, hash: '0'.repeat(64) }
    await expect(authority.claimAnew({ known, mayRepair: () => true })).rejects.toThrow(/copy of this primary/)
  })
})

function four(): { minTxid: Txid; maxTxid: Txid } {
  return { minTxid: asTxid(4), maxTxid: asTxid(4) }
}

function newest(archive: string): string {
  const folder = join(archive, 'macaroond/manifest')
  return join(folder, readdirSync(folder).toSorted().at(-1)!)
}
