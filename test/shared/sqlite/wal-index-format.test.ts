import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openWritable } from '../../../shared/sqlite/open-database.ts'
import {
  BLOCK_BYTES,
  INDEX_HEADER_BYTES,
  IndexBlock,
  blockOfFrame,
  encodeIndexHeader,
  firstFrameOfBlock,
  pageNumbersAt,
  parseIndexHeader,
} from '../../../shared/sqlite/wal-index-format.ts'
import { WalReader } from '../../../shared/sqlite/wal-reader.ts'
import { scratchDirectory } from './scratch.ts'

test('the first block holds 4062 frames, every other 4096', () => {
  expect([1, 4062, 4063, 8158, 8159, 12_254, 12_255].map(blockOfFrame)).toEqual([0, 0, 1, 1, 2, 2, 3])
  expect([0, 1, 2, 3].map(firstFrameOfBlock)).toEqual([1, 4063, 8159, 12_255])
})

test('header and blocks are the bytes that SQLite writes, over several blocks', () => {
  const path = join(scratchDirectory(), 'a.db')
  const writer = openWritable(path)
  writer.pragma('synchronous = OFF')
  writer.exec('CREATE TABLE a (id INTEGER PRIMARY KEY, b)')
  for (let round = 0; round < 60; round += 1)
    writer.exec('INSERT INTO a(b) VALUES (zeroblob(700000)); DELETE FROM a WHERE id % 2')
  const log = new WalReader(path)
  const frames: number[] = []
  for (let found = log.poll(); found.length > 0; found = log.poll()) {
    // Without a spill SQLite writes each page once, in ascending order: the pages are the frames.
    for (const { pages, startFrame, endFrame } of found) {
      expect(pages).toHaveLength(endFrame - startFrame + 1)
      frames.push(...pages.map(({ pgno }) => pgno))
    }
  }
  writer.exec('BEGIN; SELECT * FROM a')
  const shm = readFileSync(`${path}-shm`)
  const header = parseIndexHeader(shm)
  expect(header).toMatchObject({ ...pick(log.position), lastFrame: frames.length })
  expect(header === undefined ? undefined : encodeIndexHeader(header)).toEqual(shm.subarray(0, INDEX_HEADER_BYTES))
  expect(frames.length).toBeGreaterThan(4096 * 2)
  for (let number = 0; firstFrameOfBlock(number) <= frames.length; number += 1) {
    const block = new IndexBlock(number)
    for (const pgno of frames.slice(block.firstFrame - 1, firstFrameOfBlock(number + 1) - 1)) block.append(pgno)
    const start = pageNumbersAt(number)
    const actual = shm.subarray(number * BLOCK_BYTES + start, (number + 1) * BLOCK_BYTES)
    expect(Buffer.compare(actual, block.bytes.subarray(start))).toBe(0)
  }
  log.close()
  writer.close()
})

function pick({ salt1, salt2 }: { salt1: number; salt2: number }): { salt1: number; salt2: number } {
  return { salt1, salt2 }
}

test('a header with any bit flipped is no header', () => {
  const good = encodeIndexHeader({
    changeCounter: 7,
    bigEndian: false,
    lastFrame: 9,
    pages: 3,
    frameChecksum: { s1: -1, s2: 2 },
    salt1: 0xdeadbeef,
    salt2: 1,
  })
  expect(parseIndexHeader(good)).toBeDefined()
  for (let bit = 0; bit < good.length * 8; bit += 1) {
    const damaged = Buffer.from(good)
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    expect(parseIndexHeader(damaged)).toBeUndefined()
  }
})
