import { expect, test } from 'vitest'
import { PAGE_BYTES } from '../../../shared/limits.ts'
import { openReader } from '../../../shared/sqlite/open-database.ts'
import { DatabaseFile } from '../../../shared/sqlite/database-file.ts'
import { PageSource } from '../../../shared/sqlite/page-source.ts'
import { commitRound, createPrimary, createReplica, fileBytes, ship } from './scratch.ts'

function bytesOf(source: PageSource): Buffer {
  const bytes = Buffer.alloc(source.pageCount * PAGE_BYTES)
  for (let pgno = 1; pgno <= source.pageCount; pgno += 1) {
    source.readPage(pgno, bytes.subarray((pgno - 1) * PAGE_BYTES, pgno * PAGE_BYTES))
  }
  return bytes
}

function viewOf(file: DatabaseFile): Buffer {
  const source = PageSource.pin(file)
  const bytes = bytesOf(source)
  source.release()
  return bytes
}

test('a view is the database as of the last commit: all in the WAL, all in the file, or both', async () => {
  const primary = createPrimary()
  for (let round = 1; round <= 8; round += 1) {
    commitRound(primary.writer, 'INSERT INTO bulk(data) VALUES (randomblob(30000))')
    primary.log.poll()
    expect(viewOf(primary.file).equals(primary.writer.serialize())).toBe(true)
    if (round % 3 === 0) expect((await primary.checkpointer.checkpoint()).kind).toBe('truncated')
    if (round % 3 === 1) primary.writer.pragma('wal_checkpoint(PASSIVE)')
    expect(viewOf(primary.file).equals(primary.writer.serialize())).toBe(true)
  }
  primary.close()
})

test.each(['PASSIVE', 'RESTART', 'TRUNCATE'])(
  'a view stays what it was while writes go on and others checkpoint (%s)',
  (mode) => {
    const primary = createPrimary()
    const empty = PageSource.pin(primary.file)
    const before = primary.writer.serialize()
    for (let round = 0; round < 5; round += 1) {
      commitRound(primary.writer, 'INSERT INTO bulk(data) VALUES (randomblob(30000))')
      primary.writer.pragma(`wal_checkpoint(${mode})`)
    }
    const later = PageSource.pin(primary.file)
    const then = primary.writer.serialize()
    commitRound(primary.writer, 'DELETE FROM bulk')
    primary.writer.exec('VACUUM')
    primary.guard.advance()
    primary.writer.pragma(`wal_checkpoint(${mode})`)
    commitRound(primary.writer)
    expect(bytesOf(empty).equals(before)).toBe(true)
    expect(bytesOf(later).equals(then)).toBe(true)
    empty.release()
    later.release()
    primary.close()
  },
)

test('a view of an emptied WAL stays although the next commits start the WAL over', async () => {
  const primary = createPrimary()
  expect((await primary.checkpointer.checkpoint()).kind).toBe('truncated')
  const source = PageSource.pin(primary.file)
  const before = primary.writer.serialize()
  for (let round = 0; round < 3; round += 1) commitRound(primary.writer)
  expect(bytesOf(source).equals(before)).toBe(true)
  source.release()
  primary.close()
})

test('a view of a WAL that was copied but not emptied survives the WAL’s restart', () => {
  const primary = createPrimary()
  commitRound(primary.writer)
  // Without the guard everything can be copied, and the next writer may overwrite the frames from the first.
  primary.guard.whileReleased(() => {
    primary.writer.pragma('wal_checkpoint(PASSIVE)')
    const source = PageSource.pin(primary.file)
    const before = primary.writer.serialize()
    const old = primary.log.position.salt1
    commitRound(primary.writer, 'INSERT INTO bulk(data) VALUES (randomblob(100000))')
    primary.log.poll()
    expect(primary.log.position.salt1).not.toBe(old)
    expect(bytesOf(source).equals(before)).toBe(true)
    source.release()
  })
  primary.close()
})

test('checkpoints are refused while a view is held, and done once it is released', async () => {
  const primary = createPrimary()
  const source = PageSource.pin(primary.file)
  expect(await primary.checkpointer.checkpoint()).toEqual({ kind: 'pinned' })
  source.release()
  source.release()
  expect((await primary.checkpointer.checkpoint()).kind).toBe('truncated')
  expect(() => source.readPage(1, Buffer.alloc(PAGE_BYTES))).toThrow(/released/)
  primary.close()
})

test('a page outside of the database is refused', () => {
  const primary = createPrimary()
  const source = PageSource.pin(primary.file)
  const into = Buffer.alloc(PAGE_BYTES)
  for (const pgno of [0, -1, source.pageCount + 1]) expect(() => source.readPage(pgno, into)).toThrow(RangeError)
  source.release()
  primary.close()
})

test('a view of a replica sees what was applied', async () => {
  const primary = createPrimary()
  const replica = createReplica(primary)
  for (let round = 1; round <= 4; round += 1) {
    commitRound(primary.writer, 'INSERT INTO bulk(data) VALUES (randomblob(30000))')
    ship(primary, replica)
    expect(viewOf(replica.file).equals(primary.writer.serialize())).toBe(true)
    if (round === 2) expect((await replica.appender.checkpoint()).kind).toBe('truncated')
  }
  const pinned = PageSource.pin(replica.file)
  expect(await replica.appender.checkpoint()).toEqual({ kind: 'pinned' })
  pinned.release()
  replica.close()
  primary.close()
})

test('the wal-index is found again after every connection was closed and opened anew', () => {
  const primary = createPrimary()
  primary.close()
  const file = DatabaseFile.open(primary.path)
  expect(() => file.walIndex).toThrow(/no connection/)
  for (let round = 0; round < 2; round += 1) {
    const reader = openReader(primary.path)
    expect(viewOf(file).equals(fileBytes(file))).toBe(true)
    reader.close()
  }
  file.close()
})
