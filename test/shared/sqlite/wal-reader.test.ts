import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openWritable } from '../../../shared/sqlite/open-database.ts'
import { FRAME_BYTES, FrameBuffer, WAL_HEADER_BYTES, writeWalHeader } from '../../../shared/sqlite/wal-format.ts'
import { WalReader } from '../../../shared/sqlite/wal-reader.ts'
import { ROWS, commitRound, createPrimary, fileBytes, plantDatabase, scratchDirectory } from './scratch.ts'

test('every commit comes out as one transaction with the last image of each page, ascending', () => {
  const primary = createPrimary()
  for (let round = 1; round <= 5; round += 1) {
    commitRound(primary.writer)
    const transactions = primary.log.poll()
    expect(transactions).toHaveLength(1)
    const numbers = transactions[0]?.pages.map(({ pgno }) => pgno) ?? []
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
    const image = primary.writer.serialize()
    expect(transactions[0]?.commitPages).toBe(image.length / 4096)
    for (const { pgno, data } of transactions[0]?.pages ?? []) {
      expect(image.subarray((pgno - 1) * 4096, pgno * 4096).equals(data)).toBe(true)
    }
  }
  expect(primary.log.poll()).toEqual([])
  primary.close()
})

test('only the last image of a page held twice comes out, and none beyond the final size', () => {
  const path = join(scratchDirectory(), 'a.db')
  const header = { bigEndian: false, pageBytes: 4096, sequence: 0, salt1: 5, salt2: 6 }
  const bytes = Buffer.alloc(WAL_HEADER_BYTES)
  const sum = writeWalHeader(bytes, header)
  const frames = new FrameBuffer(5)
  for (const [index, pgno] of [3, 2, 9, 2, 1].entries()) {
    frames.write(index, { pgno, data: Buffer.alloc(4096, index) }, index === 4 ? 3 : 0, header, sum)
  }
  writeFileSync(`${path}-wal`, Buffer.concat([bytes, frames.bytes]))
  const log = new WalReader(path)
  const [transaction] = log.poll()
  expect(transaction?.pages.map(({ pgno, data }) => [pgno, data[0]])).toEqual([
    [1, 4],
    [2, 3],
    [3, 0],
  ])
  expect(transaction).toMatchObject({ startFrame: 1, endFrame: 5, commitPages: 3 })
  log.close()
})

test('pages that SQLite spilled and wrote again come out as they are after the commit', () => {
  const primary = createPrimary()
  primary.writer.pragma('cache_size = 2')
  primary.writer.exec('BEGIN')
  for (let pass = 0; pass < 3; pass += 1) primary.writer.exec(`UPDATE rows SET txid = ${pass}`)
  expect(primary.log.poll()).toEqual([])
  primary.writer.exec('UPDATE meta SET txid = 1; COMMIT')
  const image = primary.writer.serialize()
  const [transaction] = primary.log.poll()
  for (const { pgno, data } of transaction?.pages ?? []) {
    expect(image.subarray((pgno - 1) * 4096, pgno * 4096).equals(data)).toBe(true)
  }
  expect(transaction?.pages.length).toBeGreaterThan(ROWS / 2)
  primary.close()
})

test('frames of a transaction that is not committed, or rolled back, never come out', () => {
  const primary = createPrimary()
  primary.writer.pragma('cache_size = 2')
  primary.writer.exec('BEGIN; INSERT INTO bulk(data) VALUES (randomblob(600000))')
  expect(primary.log.poll()).toEqual([])
  primary.writer.exec('ROLLBACK')
  expect(primary.log.poll()).toEqual([])
  commitRound(primary.writer)
  expect(primary.log.poll()).toHaveLength(1)
  primary.close()
})

test('an update that changes nothing writes no frames, hence a counter in every transaction', () => {
  const primary = createPrimary()
  primary.writer.exec('UPDATE meta SET txid = txid')
  expect(primary.log.poll()).toEqual([])
  primary.close()
})

test('a commit of another connection is seen as one more transaction', () => {
  const primary = createPrimary()
  const foreign = openWritable(primary.path)
  commitRound(primary.writer)
  foreign.exec('INSERT INTO bulk(data) VALUES (1)')
  expect(primary.log.poll()).toHaveLength(2)
  foreign.close()
  primary.close()
})

test('a shrinking VACUUM is one transaction with the new size and no page beyond it', () => {
  const primary = createPrimary()
  primary.writer.exec('INSERT INTO bulk(data) VALUES (zeroblob(1000000)); DELETE FROM bulk')
  primary.log.poll()
  primary.writer.exec('VACUUM')
  const [vacuum, ...more] = primary.log.poll()
  expect(more).toEqual([])
  expect(vacuum?.commitPages).toBe(Number(primary.writer.pragma('page_count', { simple: true })))
  expect(Math.max(...(vacuum?.pages.map(({ pgno }) => pgno) ?? []))).toBeLessThanOrEqual(vacuum?.commitPages ?? 0)
  primary.close()
})

test('a WAL that starts over is followed by its new salts', async () => {
  const primary = createPrimary()
  for (let round = 1; round <= 4; round += 1) {
    const before = primary.log.position
    expect((await primary.checkpointer.checkpoint()).kind).toBe('truncated')
    expect(primary.log.poll()).toEqual([])
    expect(commitRound(primary.writer)).toBe(round)
    const [transaction, ...more] = primary.log.poll()
    expect(more).toEqual([])
    expect(transaction?.startFrame).toBe(1)
    expect([transaction?.salt1, transaction?.salt2]).not.toEqual([before.salt1, before.salt2])
  }
  primary.close()
})

test('a restart that leaves the old frames in the file is followed, without reading them again', () => {
  const path = join(scratchDirectory(), 'a.db')
  const writer = openWritable(path)
  writer.exec('CREATE TABLE a (b); INSERT INTO a VALUES (zeroblob(100000))')
  const log = new WalReader(path)
  expect(log.poll()).toHaveLength(2)
  writer.pragma('wal_checkpoint(RESTART)')
  writer.exec('UPDATE a SET b = 1')
  const transactions = log.poll()
  expect(transactions).toHaveLength(1)
  expect(readFileSync(`${path}-wal`).length).toBeGreaterThan(WAL_HEADER_BYTES + 2 * FRAME_BYTES)
  expect(log.poll()).toEqual([])
  log.close()
  writer.close()
})

test('after a crash that left a header without frames the new header that SQLite writes is found', () => {
  const primary = createPrimary()
  const bytes = fileBytes(primary.file)
  const header = readFileSync(`${primary.path}-wal`).subarray(0, WAL_HEADER_BYTES)
  primary.close()
  const path = plantDatabase(bytes, header)
  const log = new WalReader(path)
  expect(log.poll()).toEqual([])
  expect(log.position.salt1).toBe(header.readUInt32BE(16))
  const writer = openWritable(path)
  writer.exec('CREATE TABLE a (b)')
  expect(readFileSync(`${path}-wal`).subarray(0, WAL_HEADER_BYTES).equals(header)).toBe(false)
  expect(log.poll()).toHaveLength(1)
  log.close()
  writer.close()
})

test('a reader resumes behind what is recorded, and reads all where the WAL is another one', () => {
  const primary = createPrimary()
  commitRound(primary.writer)
  const recorded = primary.log.poll()[0]
  if (recorded === undefined) throw new Error('no transaction')
  commitRound(primary.writer)
  commitRound(primary.writer)
  const { salt1, salt2, endFrame } = recorded
  const resumed = new WalReader(primary.path, { salt1, salt2, frame: endFrame })
  expect(resumed.poll().map(({ startFrame }) => startFrame)[0]).toBe(endFrame + 1)
  const other = new WalReader(primary.path, { salt1: salt1 + 1, salt2, frame: endFrame })
  expect(other.poll()).toHaveLength(4)
  resumed.close()
  other.close()
  primary.close()
})

test('a log longer than one batch comes out whole, in order, also behind what is recorded', () => {
  const primary = createPrimary()
  for (let round = 0; round < 12; round += 1)
    commitRound(primary.writer, 'INSERT INTO bulk(data) VALUES (randomblob(2400000))')
  const all: { start: number; end: number }[] = []
  let batches = 0
  for (let found = primary.log.poll(); found.length > 0; found = primary.log.poll()) {
    batches += 1
    all.push(...found.map(({ startFrame, endFrame }) => ({ start: startFrame, end: endFrame })))
  }
  expect(batches).toBeGreaterThan(1)
  expect(all).toHaveLength(12)
  all.slice(1).forEach(({ start }, index) => expect(start).toBe((all[index]?.end ?? 0) + 1))
  const resumed = new WalReader(primary.path, { ...primary.log.position, frame: all[10]?.end ?? 0 })
  expect(resumed.poll()).toHaveLength(1)
  expect(resumed.position).toEqual(primary.log.position)
  resumed.close()
  primary.close()
})

test('a torn tail ends the log before the transaction it tore, wherever it was cut', () => {
  const { wal, bytes, ends } = threeTransactions()
  for (let cut = 0; cut <= wal.length; cut += 1030) {
    const path = plantDatabase(bytes, wal.subarray(0, cut))
    const log = new WalReader(path)
    expect(log.poll()).toHaveLength(ends.filter((end) => WAL_HEADER_BYTES + end * FRAME_BYTES <= cut).length)
    log.close()
  }
})

test('a flipped bit in any frame ends the log before its transaction, and SQLite agrees', () => {
  const { wal, bytes, ends } = threeTransactions()
  for (let frame = 1; frame <= (ends.at(-1) ?? 0); frame += 1) {
    const damaged = Buffer.from(wal)
    const at = WAL_HEADER_BYTES + (frame - 1) * FRAME_BYTES + ((frame * 977) % FRAME_BYTES)
    damaged[at] = (damaged[at] ?? 0) ^ (1 << (frame % 8))
    const path = plantDatabase(bytes, damaged)
    const log = new WalReader(path)
    const found = log.poll()
    expect(found).toHaveLength(ends.filter((end) => end < frame).length)
    const writer = openWritable(path)
    expect(writer.prepare('SELECT txid FROM meta').pluck().get()).toBe(found.length)
    log.close()
    writer.close()
  }
})

function threeTransactions(): { wal: Buffer; bytes: Buffer; ends: number[] } {
  const path = join(scratchDirectory(), 'a.db')
  const writer = openWritable(path)
  writer.exec('CREATE TABLE meta (txid); CREATE TABLE a (b); INSERT INTO meta VALUES (0)')
  writer.pragma('wal_checkpoint(TRUNCATE)')
  const bytes = writer.serialize()
  const log = new WalReader(path)
  for (let round = 0; round < 3; round += 1) {
    writer.exec(`BEGIN; UPDATE meta SET txid = txid + 1; INSERT INTO a VALUES (randomblob(9000)); COMMIT`)
  }
  const ends = log.poll().map(({ endFrame }) => endFrame)
  const wal = readFileSync(`${path}-wal`)
  log.close()
  writer.close()
  return { wal, bytes, ends }
}

test.each([false, true])(
  'logs of machines with the other byte order are read (checksums big-endian: %s)',
  (bigEndian) => {
    const path = join(scratchDirectory(), 'a.db')
    const header = { bigEndian, pageBytes: 4096, sequence: 7, salt1: 0x80000001, salt2: 0xfffffffe }
    const bytes = Buffer.alloc(WAL_HEADER_BYTES)
    const sum = writeWalHeader(bytes, header)
    const frames = new FrameBuffer(2)
    const page = (fill: number): Uint8Array => Buffer.alloc(4096, fill)
    frames.write(0, { pgno: 1, data: page(0xa5) }, 0, header, sum)
    frames.write(1, { pgno: 2, data: page(0x5a) }, 2, header, sum)
    writeFileSync(`${path}-wal`, Buffer.concat([bytes, frames.bytes]))
    const log = new WalReader(path)
    const [transaction] = log.poll()
    expect(transaction).toMatchObject({
      salt1: 0x80000001,
      salt2: 0xfffffffe,
      startFrame: 1,
      endFrame: 2,
      commitPages: 2,
    })
    expect(transaction?.pages.map(({ pgno }) => pgno)).toEqual([1, 2])
    log.close()
  },
)

test('SQLite reads a log with big-endian checksums that our frames continue', () => {
  const { wal, bytes } = threeTransactions()
  const header = { bigEndian: true, pageBytes: 4096, sequence: 0, salt1: 1, salt2: 2 }
  const out = Buffer.alloc(WAL_HEADER_BYTES)
  const sum = writeWalHeader(out, header)
  const source = new FrameBuffer(Math.floor(wal.length / FRAME_BYTES))
  source.bytes.set(wal.subarray(WAL_HEADER_BYTES))
  const frames = new FrameBuffer(source.capacity)
  for (let index = 0; index < source.capacity; index += 1) {
    frames.write(index, { pgno: source.pgno(index), data: source.page(index) }, source.commitPages(index), header, sum)
  }
  const writer = openWritable(plantDatabase(bytes, Buffer.concat([out, frames.bytes])))
  expect(writer.prepare('SELECT txid FROM meta').pluck().get()).toBe(3)
  writer.close()
})

test('a WAL that was deleted while it is in use is an error: commits would go nowhere', () => {
  const primary = createPrimary()
  rmSync(`${primary.path}-wal`)
  expect(() => primary.log.poll()).toThrow(/deleted while it was in use/)
  primary.close()
})

test('a log that does not exist yet, is empty, or is no log at all has no transactions', () => {
  const path = join(scratchDirectory(), 'a.db')
  const log = new WalReader(path)
  expect(log.poll()).toEqual([])
  writeFileSync(`${path}-wal`, '')
  expect(log.poll()).toEqual([])
  writeFileSync(`${path}-wal`, Buffer.alloc(100_000, 0x37))
  expect(log.poll()).toEqual([])
  truncateSync(`${path}-wal`, 10)
  expect(log.poll()).toEqual([])
  log.close()
})

test(`a transaction contains every page that it adds, so a copy of ${ROWS} rows has no holes`, () => {
  const primary = createPrimary()
  primary.writer.pragma('cache_size = 4')
  let size = Number(primary.writer.pragma('page_count', { simple: true }))
  for (let round = 1; round <= 60; round += 1) {
    const bulk = `INSERT INTO bulk(data) VALUES (randomblob(${((round * 7919) % 50) * 1000}))`
    const undone = `SAVEPOINT s; INSERT INTO bulk(data) VALUES (randomblob(90000)); ROLLBACK TO s; RELEASE s`
    commitRound(primary.writer, `${bulk}; DELETE FROM bulk WHERE id % 3 = ${round % 3}; ${undone}; ${bulk}`)
    if (round % 20 === 0) primary.writer.exec('VACUUM')
    for (const { commitPages, pages } of primary.log.poll()) {
      const present = new Set(pages.map(({ pgno }) => pgno))
      for (let pgno = size + 1; pgno <= commitPages; pgno += 1) expect(present.has(pgno)).toBe(true)
      size = commitPages
    }
  }
  primary.close()
})
