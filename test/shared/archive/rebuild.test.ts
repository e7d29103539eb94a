/** A database out of the files of an archive: what the last images of its pages say, and only where every file is right. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { DirectoryStorage } from '../../../shared/archive/directory.ts'
import { type ArchivedFile, segmentKey } from '../../../shared/archive/layout.ts'
import { rebuildDatabase } from '../../../shared/archive/rebuild.ts'
import { sha256 } from '../../../shared/crypto.ts'
import { txid } from '../../../shared/ids.ts'
import type { DatabasePage } from '../../../shared/ltx/database-pages.ts'
import { encodeSegment } from '../../../shared/ltx/encoder.ts'
import { PageChecksums } from '../../../shared/ltx/rolling-checksum.ts'
import { FIELDS, PAGE_SIZE, pageArbitrary } from '../ltx/arbitraries.ts'

/** A transaction: the pages that it writes, and how many there are after it. */
interface Change {
  readonly commit: number
  readonly pages: readonly DatabasePage[]
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'macaroond-rebuild-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

const page = (fill: number): Buffer => Buffer.alloc(PAGE_SIZE, fill)
const pageOf = (pgno: number, fill: number): DatabasePage => ({ pgno, data: page(fill) })

/** Each change as a file, the first as a whole database. */
async function archive(
  storage: DirectoryStorage,
  changes: readonly Change[],
  signed: boolean,
): Promise<readonly ArchivedFile[]> {
  const origin = { epoch: undefined, preApply: undefined, postApply: undefined }
  const files: ArchivedFile[] = []
  for (const [index, { commit, pages }] of changes.entries()) {
    const range = { minTxid: txid(index + 1), maxTxid: txid(index + 1) }
    const bytes = encodeSegment({ ...FIELDS, ...origin, ...range, commit }, pages)
    const key = segmentKey(0, range)
    await storage.put(key, bytes, FIELDS.timestampMs)
    const hash = signed ? sha256(bytes).toString('hex') : undefined
    const common = { key, level: 0, bytes: bytes.length, timestampMs: FIELDS.timestampMs, sha256: hash }
    files.push({ ...range, ...common, epoch: undefined, postApply: undefined })
  }
  return files
}

/** The database after all changes, by doing them one after the other. */
function applied(changes: readonly Change[]): Buffer {
  let database = Buffer.alloc(0)
  for (const { commit, pages } of changes) {
    const next = Buffer.alloc(commit * PAGE_SIZE)
    database.copy(next)
    for (const { pgno, data } of pages) data.copy(next, (pgno - 1) * PAGE_SIZE)
    database = next
  }
  return database
}

function checksumOf(database: Buffer): bigint {
  const checksums = new PageChecksums(PAGE_SIZE)
  for (let at = 0; at < database.length; at += PAGE_SIZE)
    checksums.set(at / PAGE_SIZE + 1, database.subarray(at, at + PAGE_SIZE))
  return checksums.checksum
}

/** Grows, shrinks and grows again: what grows writes every page that is new. */
const changesArbitrary: fc.Arbitrary<readonly Change[]> = fc
  .array(
    fc.record({
      commit: fc.integer({ min: 1, max: 9 }),
      pages: fc.array(fc.record({ pgno: fc.integer({ min: 1, max: 9 }), data: pageArbitrary }), { maxLength: 9 }),
      fresh: pageArbitrary,
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map((drawn) => {
    let before = 0
    return drawn.map(({ commit, pages, fresh }) => {
      const written = new Map(pages.map(({ pgno, data }) => [pgno, data]))
      for (let pgno = before + 1; pgno <= commit; pgno += 1) if (!written.has(pgno)) written.set(pgno, fresh)
      before = commit
      const kept = [...written].filter(([pgno]) => pgno <= commit).toSorted(([a], [b]) => a - b)
      return { commit, pages: kept.map(([pgno, data]) => ({ pgno, data })) }
    })
  })

describe('a rebuilt database', () => {
  test('is what the transactions made in order, with or without signatures on their files', async () => {
    const path = folder()
    let run = 0
    await fc.assert(
      fc.asyncProperty(changesArbitrary, fc.boolean(), async (changes, signed) => {
        const output = join(path, `${(run += 1)}.db`)
        const storage = await DirectoryStorage.open(join(path, String(run)), { create: true, blocking: signed })
        const files = await archive(storage, changes, signed)
        const { checksum, pages } = await rebuildDatabase({ storage, files, path: output })
        const expected = applied(changes)
        expect(readFileSync(output).equals(expected)).toBe(true)
        expect(checksum).toBe(checksumOf(expected))
        expect(pages).toBe(expected.length / PAGE_SIZE)
      }),
      { numRuns: 40 },
    )
  })

  const HISTORY: readonly Change[] = [
    { commit: 2, pages: [pageOf(1, 1), pageOf(2, 2)] },
    { commit: 2, pages: [pageOf(2, 3)] },
    { commit: 2, pages: [pageOf(2, 4)] },
  ]

  test.each([
    ['signed', true],
    ['unsigned', false],
  ])('is refused for a flipped bit in any %s file, even in a page image that is replaced later', async (_, signed) => {
    const storage = await DirectoryStorage.open(folder())
    const files = await archive(storage, HISTORY, signed)
    for (const [index, file] of files.entries()) {
      const bytes = (await storage.get(file.key))!
      // The literal that the page repeats: still an LZ4 block, of another page.
      const at = bytes.indexOf(index === 0 ? 1 : index + 2, 100 + 10)
      await storage.put(file.key, flipped(bytes, at), FIELDS.timestampMs)
      const rebuild = rebuildDatabase({ storage, files, path: join(folder(), 'out.db') })
      await expect(rebuild).rejects.toMatchObject({
        code: 'archive_damaged',
        message: expect.stringContaining(file.key),
      })
      await storage.put(file.key, bytes, FIELDS.timestampMs)
    }
  })

  test('is refused, and the file named, when what was signed is no page', async () => {
    const storage = await DirectoryStorage.open(folder())
    const [whole, ...rest] = await archive(storage, HISTORY, true)
    const last = rest.at(-1)!
    const bytes = (await storage.get(last.key))!
    const LITERALS_ONLY = 0xf0
    bytes[100 + 10] = LITERALS_ONLY
    await storage.put(last.key, bytes, FIELDS.timestampMs)
    const files = [whole!, rest[0]!, { ...last, sha256: sha256(bytes).toString('hex') }]
    const rebuild = rebuildDatabase({ storage, files, path: join(folder(), 'out.db') })
    await expect(rebuild).rejects.toMatchObject({ code: 'archive_damaged', message: expect.stringContaining(last.key) })
  })
})

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at]! ^= 0x40
  return copy
}
