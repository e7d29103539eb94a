import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { openReader } from '../../../shared/sqlite/open-database.ts'
import { DatabaseBuilder, createDatabase } from '../../../shared/sqlite/create-database.ts'
import type { PageImage } from '../../../shared/sqlite/wal-format.ts'
import { commitRound, createPrimary, scratchDirectory, snapshot } from './scratch.ts'

function pagesOfPrimary(): { pages: PageImage[]; image: Buffer } {
  const primary = createPrimary()
  commitRound(primary.writer, 'INSERT INTO bulk(data) VALUES (randomblob(2000000))')
  const image = primary.writer.serialize()
  const [, pages] = snapshot(primary.file)
  primary.close()
  return { pages, image }
}

test('a database built from all pages is the original, byte for byte, and sound', () => {
  const { pages, image } = pagesOfPrimary()
  const path = join(scratchDirectory(), 'new.db')
  createDatabase(path, pages.length, pages)
  expect(readFileSync(path).equals(image)).toBe(true)
  const reader = openReader(path)
  expect(reader.pragma('integrity_check', { simple: true })).toBe('ok')
  reader.close()
})

test.each(['', '-wal', '-shm', '-journal'])('nothing is built where a file with the suffix "%s" lies', (suffix) => {
  const { pages } = pagesOfPrimary()
  const path = join(scratchDirectory(), 'new.db')
  writeFileSync(`${path}${suffix}`, 'mine')
  expect(() => createDatabase(path, pages.length, pages)).toThrow(/exists/)
  expect(readFileSync(`${path}${suffix}`, 'latin1')).toBe('mine')
})

test('an incomplete, unordered or foreign set of pages leaves no file', () => {
  const { pages } = pagesOfPrimary()
  const [first, second, ...rest] = pages
  if (first === undefined || second === undefined) throw new Error('too few pages')
  const sets = [
    pages.slice(0, -1),
    pages.slice(1),
    [first, ...rest],
    [second, first, ...rest],
    [first, first, ...rest],
    [...pages, { pgno: pages.length + 1, data: first.data }],
    [{ pgno: 1, data: first.data.subarray(1) }, second, ...rest],
    [{ pgno: 1, data: second.data }, second, ...rest],
    [],
  ]
  for (const set of sets) {
    const path = join(scratchDirectory(), 'new.db')
    expect(() => createDatabase(path, pages.length, set)).toThrow(/not a complete snapshot/)
    expect(readdirSync(dirname(path))).toEqual([])
  }
})

test('the file has no name until it is finished, and a broken attempt does not block the next', () => {
  const { pages, image } = pagesOfPrimary()
  const path = join(scratchDirectory(), 'new.db')
  const broken = new DatabaseBuilder(path, pages.length)
  for (const page of pages) broken.write(page)
  expect(existsSync(path)).toBe(false)
  createDatabase(path, pages.length, pages)
  expect(readFileSync(path).equals(image)).toBe(true)
  expect(() => broken.finish()).toThrow(/exists/)
  broken.abort()
})
