import { readFileSync, statSync } from 'node:fs'
import { expect, test } from 'vitest'
import { PAGE_BYTES } from '../../../shared/limits.ts'
import { Checkpointer } from '../../../shared/sqlite/checkpointer.ts'
import { openReader, openWritable } from '../../../shared/sqlite/open-database.ts'
import { PageSource } from '../../../shared/sqlite/page-source.ts'
import { commitRound, createPrimary, fileBytes, openPrimary, plantDatabase, roundsSeen } from './scratch.ts'

test('a checkpoint puts everything into the file and empties the WAL, after the log was synced', async () => {
  const primary = createPrimary()
  commitRound(primary.writer)
  primary.log.poll()
  const image = primary.writer.serialize()
  expect(await primary.checkpointer.checkpoint()).toEqual({ kind: 'truncated' })
  expect(primary.syncs()).toBeGreaterThan(0)
  expect(statSync(`${primary.path}-wal`).size).toBe(0)
  expect(fileBytes(primary.file).equals(image)).toBe(true)
  expect(await primary.checkpointer.checkpoint()).toEqual({ kind: 'empty' })
  primary.close()
})

test('a WAL with a transaction that was not consumed is left alone', async () => {
  const primary = createPrimary()
  commitRound(primary.writer)
  const { lastFrame } = primary.file.walIndex.readHeader()
  expect(await primary.checkpointer.checkpoint()).toEqual({ kind: 'unconsumed', lastFrame })
  expect(primary.syncs()).toBe(0)
  expect(primary.log.poll()).toHaveLength(1)
  expect((await primary.checkpointer.checkpoint()).kind).toBe('truncated')
  primary.close()
})

test('a reader of an old state makes the checkpoint partial, and it completes after the reader', async () => {
  const primary = createPrimary()
  commitRound(primary.writer)
  const reader = openReader(primary.path)
  reader.exec('BEGIN')
  reader.prepare('SELECT count(*) FROM rows').get()
  const second = commitRound(primary.writer)
  primary.log.poll()
  const outcome = await primary.checkpointer.checkpoint(3)
  expect(outcome.kind).toBe('partial')
  expect(reader.prepare('SELECT txid FROM meta').pluck().get()).toBe(second - 1)
  reader.exec('COMMIT')
  expect(await primary.checkpointer.checkpoint()).toEqual({ kind: 'truncated' })
  reader.close()
  primary.close()
})

test('a reader of the last state keeps the WAL though all is copied, and the next commit is read', async () => {
  const primary = createPrimary()
  commitRound(primary.writer)
  primary.log.poll()
  const reader = openReader(primary.path)
  reader.exec('BEGIN')
  reader.prepare('SELECT count(*) FROM rows').get()
  expect((await primary.checkpointer.checkpoint(3)).kind).toBe('backfilled')
  for (let round = 0; round < 3; round += 1) {
    commitRound(primary.writer)
    expect(primary.log.poll()).toHaveLength(1)
    expect((await primary.checkpointer.checkpoint(2)).kind).not.toBe('truncated')
  }
  reader.close()
  expect(await primary.checkpointer.checkpoint()).toEqual({ kind: 'truncated' })
  primary.close()
})

test('a busy reader is waited for, a pause at a time, and writes of that time are kept', async () => {
  const primary = createPrimary()
  commitRound(primary.writer)
  primary.log.poll()
  const reader = openReader(primary.path)
  reader.exec('BEGIN')
  reader.prepare('SELECT count(*) FROM rows').get()
  let pauses = 0
  const pause = (): Promise<void> => {
    pauses += 1
    commitRound(primary.writer)
    primary.log.poll()
    if (pauses === 3) reader.close()
    return Promise.resolve()
  }
  const { file, writer, guard, log } = primary
  const checkpointer = new Checkpointer({
    file,
    writer,
    guard,
    consumed: () => log.position,
    fsyncLog: () => {},
    pause,
  })
  expect(await checkpointer.checkpoint()).toEqual({ kind: 'truncated' })
  expect(pauses).toBe(3)
  commitRound(writer)
  expect(log.poll()).toHaveLength(1)
  primary.close()
})

test('a foreign commit while the guard is released is found, although it never shows in the WAL', async () => {
  const primary = createPrimary()
  const foreign = openWritable(primary.path)
  commitRound(primary.writer)
  primary.log.poll()
  const { guard } = primary
  const release = guard.whileReleased.bind(guard)
  guard.whileReleased = <T>(work: () => T): T =>
    release(() => {
      foreign.exec('INSERT INTO bulk(data) VALUES (1)')
      return work()
    })
  await expect(primary.checkpointer.checkpoint()).rejects.toMatchObject({ code: 'foreign_write' })
  expect(primary.log.poll()).toEqual([])
  foreign.close()
  primary.close()
})

test.each(['PASSIVE', 'FULL', 'RESTART', 'TRUNCATE'])(
  'with the guard a %s checkpoint of another connection loses nothing',
  (mode) => {
    const primary = createPrimary()
    const foreign = openWritable(primary.path)
    for (let round = 0; round < 5; round += 1) {
      commitRound(primary.writer)
      foreign.pragma(`wal_checkpoint(${mode})`)
      expect(primary.log.poll()).toHaveLength(1)
      foreign.pragma(`wal_checkpoint(${mode})`)
      primary.guard.advance()
    }
    foreign.close()
    primary.close()
  },
)

test('PASSIVE under the guard copies everything: the guard moves to the commit before it', async () => {
  const primary = createPrimary()
  for (let round = 0; round < 3; round += 1) {
    commitRound(primary.writer)
    primary.log.poll()
    expect((await primary.checkpointer.checkpoint(0)).kind).toBe('backfilled')
  }
  primary.close()
})

test('calls that overlap are one checkpoint', async () => {
  const primary = createPrimary()
  const [first, second] = await Promise.all([primary.checkpointer.checkpoint(), primary.checkpointer.checkpoint()])
  expect(second).toBe(first)
  primary.close()
})

test('a recycled WAL keeps its size, and the next commits start it over and come out once each', () => {
  const primary = createPrimary()
  for (let round = 0; round < 5; round += 1) commitRound(primary.writer)
  primary.log.poll()
  const image = primary.writer.serialize()
  const { size } = statSync(`${primary.path}-wal`)
  const before = primary.log.position
  expect(primary.checkpointer.recycle().kind).toBe('backfilled')
  expect(primary.syncs()).toBeGreaterThan(0)
  expect(fileBytes(primary.file).equals(image)).toBe(true)
  for (let round = 0; round < 3; round += 1) {
    commitRound(primary.writer)
    expect(primary.log.poll()).toHaveLength(1)
  }
  expect(primary.log.position.frame).toBeLessThan(before.frame)
  expect(primary.log.position.salt2).not.toBe(before.salt2)
  expect(statSync(`${primary.path}-wal`).size).toBe(size)
  primary.close()
})

test('a WAL is recycled again and again without growing', () => {
  const primary = createPrimary()
  let size = 0
  for (let round = 0; round < 20; round += 1) {
    commitRound(primary.writer)
    expect(primary.log.poll()).toHaveLength(1)
    expect(primary.checkpointer.recycle().kind).toBe('backfilled')
    size = Math.max(size, statSync(`${primary.path}-wal`).size)
  }
  expect(statSync(`${primary.path}-wal`).size).toBe(size)
  expect(primary.log.position.frame).toBe(primary.file.walIndex.readHeader().lastFrame)
  primary.close()
})

test('a reader keeps its state while the WAL is recycled, and later commits follow it', () => {
  const primary = createPrimary()
  const seen = commitRound(primary.writer)
  const reader = openReader(primary.path)
  reader.exec('BEGIN')
  reader.prepare('SELECT count(*) FROM rows').get()
  primary.log.poll()
  for (let round = 0; round < 3; round += 1) {
    primary.checkpointer.recycle()
    commitRound(primary.writer)
    expect(primary.log.poll()).toHaveLength(1)
    expect(roundsSeen(reader)).toEqual([seen])
  }
  reader.close()
  primary.close()
})

test('a view of all pages pinned on a recycled WAL stays intact when the WAL starts over', () => {
  const primary = createPrimary()
  for (let round = 0; round < 5; round += 1) commitRound(primary.writer)
  primary.log.poll()
  primary.checkpointer.recycle()
  const image = primary.writer.serialize()
  const view = PageSource.pin(primary.file)
  for (let round = 0; round < 5; round += 1) commitRound(primary.writer)
  expect(primary.log.poll()).toHaveLength(5)
  const page = Buffer.alloc(PAGE_BYTES)
  const pages = Array.from({ length: view.pageCount }, (_, index) => {
    view.readPage(index + 1, page)
    return Buffer.from(page)
  })
  expect(Buffer.concat(pages).equals(image)).toBe(true)
  view.release()
  primary.close()
})

test('a commit of somebody else while the WAL is recycled is found', () => {
  const primary = createPrimary()
  const foreign = openWritable(primary.path)
  commitRound(primary.writer)
  primary.log.poll()
  const { guard } = primary
  const advance = guard.advance.bind(guard)
  let advances = 0
  guard.advance = () => {
    advances += 1
    if (advances === 2) foreign.exec('INSERT INTO bulk(data) VALUES (1)')
    advance()
  }
  expect(() => primary.checkpointer.recycle()).toThrow(expect.objectContaining({ code: 'foreign_write' }))
  foreign.close()
  primary.close()
})

test.each(['nothing more', 'PASSIVE', 'RESTART', 'TRUNCATE'])(
  'a commit of somebody else on a recycled WAL shows beside ours, with %s after it',
  (mode) => {
    const primary = createPrimary()
    const foreign = openWritable(primary.path)
    commitRound(primary.writer)
    primary.log.poll()
    primary.checkpointer.recycle()
    foreign.exec('INSERT INTO bulk(data) VALUES (1)')
    if (mode !== 'nothing more') foreign.pragma(`wal_checkpoint(${mode})`)
    commitRound(primary.writer)
    expect(primary.log.poll()).toHaveLength(2)
    foreign.close()
    primary.close()
  },
)

test('a WAL that holds what was not consumed is not recycled', () => {
  const primary = createPrimary()
  commitRound(primary.writer)
  const { lastFrame } = primary.file.walIndex.readHeader()
  expect(primary.checkpointer.recycle()).toEqual({ kind: 'unconsumed', lastFrame })
  expect(primary.log.poll()).toHaveLength(1)
  primary.close()
})

test('a crash after recycling, with or without a later commit, loses and repeats nothing', () => {
  const primary = createPrimary()
  for (let round = 0; round < 3; round += 1) commitRound(primary.writer)
  primary.log.poll()
  primary.checkpointer.recycle()
  for (const commits of [0, 1, 2]) {
    const path = plantDatabase(fileBytes(primary.file), readFileSync(`${primary.path}-wal`))
    const crashed = openPrimary(path)
    expect(roundsSeen(crashed.writer)).toEqual([3 + commits])
    expect(commitRound(crashed.writer)).toBe(4 + commits)
    crashed.close()
    commitRound(primary.writer)
  }
  primary.close()
})
