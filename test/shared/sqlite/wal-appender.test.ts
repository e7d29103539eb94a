import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { openReader, openWritable } from '../../../shared/sqlite/open-database.ts'
import { WalIndex } from '../../../shared/sqlite/wal-index.ts'
import { WAL_SALT_AT } from '../../../shared/sqlite/wal-format.ts'
import type { Primary, Replica } from './scratch.ts'
import {
  commitRound,
  createPrimary,
  createReplica,
  fileBytes,
  openReplica,
  plantDatabase,
  roundsSeen,
  ship,
  snapshot,
} from './scratch.ts'

async function expectIdentical(primary: Primary, replica: Replica): Promise<void> {
  primary.log.poll()
  expect(['truncated', 'empty']).toContain((await primary.checkpointer.checkpoint()).kind)
  expect(['truncated', 'empty']).toContain((await replica.appender.checkpoint()).kind)
  expect(fileBytes(replica.file).equals(fileBytes(primary.file))).toBe(true)
}

const mutation = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.integer({ min: 1, max: 60_000 }).map((size) => `INSERT INTO bulk(data) VALUES (randomblob(${size}))`),
  },
  { weight: 3, arbitrary: fc.integer({ min: 2, max: 5 }).map((step) => `DELETE FROM bulk WHERE id % ${step} = 0`) },
  { weight: 1, arbitrary: fc.constant('INSERT INTO bulk(data) VALUES (randomblob(3000000))') },
  { weight: 1, arbitrary: fc.constant('DELETE FROM bulk') },
  { weight: 1, arbitrary: fc.constant('CREATE TABLE IF NOT EXISTS extra (a PRIMARY KEY, b)') },
  { weight: 1, arbitrary: fc.constant('DROP TABLE IF EXISTS extra') },
  { weight: 2, arbitrary: fc.constant('') },
)
const step = fc.oneof(
  { weight: 12, arbitrary: mutation.map((sql) => ({ kind: 'commit' as const, sql })) },
  { weight: 1, arbitrary: fc.constant({ kind: 'vacuum' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'primary checkpoint' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'replica checkpoint' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'replica restart' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'passive' as const }) },
)

test('the files are identical and sound after any growing, shrinking, checkpoints and restarts', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const primary = createPrimary()
      let replica = createReplica(primary)
      for (const action of steps) {
        if (action.kind === 'commit') commitRound(primary.writer, action.sql)
        else if (action.kind === 'vacuum') primary.writer.exec('VACUUM')
        else if (action.kind === 'primary checkpoint') await primary.checkpointer.checkpoint()
        else if (action.kind === 'replica checkpoint') await replica.appender.checkpoint()
        else if (action.kind === 'replica restart') {
          replica.close()
          replica = openReplica(replica.path)
        } else openReader(replica.path).close()
        ship(primary, replica)
        const reader = openReader(replica.path)
        expect(roundsSeen(reader)).toEqual(roundsSeen(primary.writer))
        reader.close()
      }
      await expectIdentical(primary, replica)
      const reader = openReader(replica.path)
      expect(reader.pragma('integrity_check', { simple: true })).toBe('ok')
      reader.close()
      replica.close()
      primary.close()
    }),
    // Shrinking runs whole histories again: enough to read what failed, not until the test's own time is up.
    { numRuns: 15, interruptAfterTimeLimit: 12_000, markInterruptAsFailure: true },
  )
})

test('a transaction over several wal-index blocks, and one that shrinks it, are applied whole', async () => {
  const primary = createPrimary()
  const replica = createReplica(primary)
  const reader = openReader(replica.path)
  commitRound(primary.writer, 'INSERT INTO bulk(data) VALUES (zeroblob(42000000)), (zeroblob(42000000))')
  expect(ship(primary, replica)[0]?.pages.length).toBeGreaterThan(20_000)
  expect(roundsSeen(reader)).toEqual([1])
  expect(reader.prepare('SELECT sum(length(data)) FROM bulk').pluck().get()).toBe(84_000_000)
  commitRound(primary.writer, 'DELETE FROM bulk')
  primary.writer.exec('VACUUM')
  ship(primary, replica)
  expect(reader.pragma('integrity_check', { simple: true })).toBe('ok')
  reader.close()
  await expectIdentical(primary, replica)
  replica.close()
  primary.close()
})

test('frames that fill a block to its last place, and the first of the next, are found', () => {
  const primary = createPrimary()
  const replica = createReplica(primary)
  const reader = openReader(replica.path)
  // Forty-odd pages a round: the block's end at frame 4062 is passed inside a transaction or between two.
  for (let round = 1; round <= 105; round += 1) {
    commitRound(primary.writer)
    ship(primary, replica)
    if (round > 95) expect(roundsSeen(reader)).toEqual([round])
  }
  expect(replica.appender.walFrames).toBeGreaterThan(4062)
  reader.close()
  replica.close()
  primary.close()
})

test.each([4061, 4062, 4063, 8157, 8158, 8159])('a log of %i frames that a crash left is continued', (frames) => {
  const primary = createPrimary()
  const replica = createReplica(primary)
  const [commitPages, pages] = snapshot(primary.file)
  const [first] = pages
  if (first === undefined) throw new Error('no pages')
  // One page over and over is a legal transaction, and makes the log exactly as long as wanted.
  replica.appender.apply({ commitPages, pages: Array.from({ length: frames }, () => first) })
  const crashed = openReplica(plantDatabase(fileBytes(replica.file), readFileSync(`${replica.path}-wal`)))
  expect(crashed.appender.walFrames).toBe(frames)
  const reader = openReader(crashed.path)
  for (let round = 1; round <= 2; round += 1) {
    commitRound(primary.writer)
    ship(primary, crashed)
    expect(roundsSeen(reader)).toEqual([round])
  }
  reader.close()
  crashed.close()
  replica.close()
  primary.close()
})

test('every round of the log has salts of its own', async () => {
  const primary = createPrimary()
  const replica = createReplica(primary)
  const salts = new Set<number>()
  for (let round = 1; round <= 5; round += 1) {
    commitRound(primary.writer)
    ship(primary, replica)
    salts.add(readFileSync(`${replica.path}-wal`).readUInt32BE(WAL_SALT_AT))
    expect((await replica.appender.checkpoint()).kind).toBe('truncated')
  }
  expect(salts.size).toBe(5)
  replica.close()
  primary.close()
})

test('a reader in a transaction keeps its snapshot during applies, and then sees the last one', async () => {
  const primary = createPrimary()
  const replica = createReplica(primary)
  const old = openReader(replica.path)
  old.exec('BEGIN')
  expect(roundsSeen(old)).toEqual([0])
  for (let round = 1; round <= 50; round += 1) {
    commitRound(primary.writer)
    ship(primary, replica)
    expect(roundsSeen(old)).toEqual([0])
  }
  expect((await replica.appender.checkpoint(2)).kind).toBe('partial')
  expect(roundsSeen(old)).toEqual([0])
  old.exec('COMMIT')
  expect(roundsSeen(old)).toEqual([50])
  expect(await replica.appender.checkpoint()).toEqual({ kind: 'truncated' })
  expect(replica.appender.walBytes).toBe(0)
  old.close()
  replica.close()
  primary.close()
})

test('an apply under a foreign write lock says busy and changes nothing; later it goes on', () => {
  const primary = createPrimary()
  const replica = createReplica(primary)
  const reader = openReader(replica.path)
  const operator = openWritable(replica.path)
  operator.exec('BEGIN IMMEDIATE')
  commitRound(primary.writer)
  const transactions = primary.log.poll()
  const bytes = replica.appender.walBytes
  for (const transaction of transactions)
    expect(replica.appender.apply(transaction)).toEqual({ applied: false, busy: true })
  expect(replica.appender.walBytes).toBe(bytes)
  expect(roundsSeen(reader)).toEqual([0])
  operator.exec('ROLLBACK')
  for (const transaction of transactions) expect(replica.appender.apply(transaction)).toMatchObject({ applied: true })
  expect(roundsSeen(reader)).toEqual([1])
  operator.close()
  reader.close()
  replica.close()
  primary.close()
})

test('a commit of somebody else is a foreign write, before anything is applied on top of it', () => {
  const primary = createPrimary()
  const replica = createReplica(primary)
  const foreign = openWritable(replica.path)
  commitRound(primary.writer)
  ship(primary, replica)
  foreign.exec('UPDATE rows SET filler = NULL WHERE id = 1')
  commitRound(primary.writer)
  const frames = replica.file.walIndex.readHeader().lastFrame
  expect(() => ship(primary, replica)).toThrow(/another program wrote/)
  expect(replica.file.walIndex.readHeader().lastFrame).toBe(frames)
  // The write lock is free again: whoever inspects the file is not blocked.
  foreign.exec('BEGIN IMMEDIATE; COMMIT')
  foreign.close()
  replica.close()
  primary.close()
})

test('a foreign commit that was checkpointed away at once is a foreign write too', () => {
  const primary = createPrimary()
  const replica = createReplica(primary)
  const foreign = openWritable(replica.path)
  foreign.exec('UPDATE rows SET filler = NULL WHERE id = 1')
  foreign.pragma('wal_checkpoint(TRUNCATE)')
  commitRound(primary.writer)
  expect(() => ship(primary, replica)).toThrow(/another program wrote/)
  foreign.close()
  replica.close()
  primary.close()
})

test.each(['PASSIVE', 'FULL', 'RESTART', 'TRUNCATE'])(
  'a %s checkpoint of an operator changes no page and is no foreign write',
  async (mode) => {
    const primary = createPrimary()
    const replica = createReplica(primary)
    const operator = openWritable(replica.path)
    for (let round = 1; round <= 3; round += 1) {
      commitRound(primary.writer)
      ship(primary, replica)
      operator.pragma(`wal_checkpoint(${mode})`)
      expect(roundsSeen(operator)).toEqual([round])
    }
    await expectIdentical(primary, replica)
    operator.close()
    replica.close()
    primary.close()
  },
)

test('pages that fail half way leave the state before, and the next transaction is applied', async () => {
  const primary = createPrimary()
  const replica = createReplica(primary)
  const reader = openReader(replica.path)
  for (let round = 1; round <= 3; round += 1) {
    commitRound(primary.writer, 'INSERT INTO bulk(data) VALUES (randomblob(2000000))')
    const [transaction] = primary.log.poll()
    if (transaction === undefined) throw new Error('no transaction')
    const torn = function* (): Generator<{ pgno: number; data: Uint8Array }> {
      yield* transaction.pages.slice(0, 400)
      throw new Error('the segment is damaged')
    }
    expect(() => replica.appender.apply({ ...transaction, pages: torn() })).toThrow('the segment is damaged')
    expect(roundsSeen(reader)).toEqual([round - 1])
    expect(replica.appender.apply(transaction).applied).toBe(true)
    expect(roundsSeen(reader)).toEqual([round])
  }
  reader.close()
  await expectIdentical(primary, replica)
  replica.close()
  primary.close()
})

test.each([
  ['a page beyond the final size', 4, 4096],
  ['a page of the wrong size', 1, 4095],
  ['page 0', 0, 4096],
])('%s breaks the apply and changes nothing', (_what, pgno, length) => {
  const primary = createPrimary()
  const replica = createReplica(primary)
  const page = { pgno, data: new Uint8Array(length) }
  expect(() => replica.appender.apply({ commitPages: 3, pages: [page] })).toThrow(/invariant/)
  expect(() => replica.appender.apply({ commitPages: 3, pages: [] })).toThrow(/at least one page/)
  const reader = openReader(replica.path)
  expect(roundsSeen(reader)).toEqual([0])
  reader.close()
  replica.close()
  primary.close()
})

test('a crash before the commit frame leaves the old state, one after it the whole transaction', () => {
  const primary = createPrimary()
  const replica = createReplica(primary)
  const bytes = fileBytes(replica.file)
  commitRound(primary.writer)
  ship(primary, replica)
  const first = replica.appender.walBytes
  commitRound(primary.writer)
  ship(primary, replica)
  const wal = readFileSync(`${replica.path}-wal`)
  replica.close()
  primary.close()
  for (let cut = 0; cut <= wal.length; cut += 4003) {
    const restarted = openReplica(plantDatabase(bytes, wal.subarray(0, cut)))
    const reader = openReader(restarted.path)
    expect(roundsSeen(reader)).toEqual([cut < first ? 0 : cut < wal.length ? 1 : 2])
    reader.close()
    restarted.close()
  }
})

test('the appender’s own connection sees the applied pages, and so do its queries in between', () => {
  const primary = createPrimary()
  const replica = createReplica(primary)
  const { appender } = replica
  for (let round = 1; round <= 3; round += 1) {
    expect(roundsSeen(appender.connection)).toEqual([round - 1])
    commitRound(primary.writer, 'INSERT INTO bulk(data) VALUES (randomblob(50000))')
    ship(primary, replica)
    appender.sync()
    expect(roundsSeen(appender.connection)).toEqual([round])
    expect(appender.pageCount).toBe(Number(primary.writer.pragma('page_count', { simple: true })))
  }
  replica.close()
  primary.close()
})

test('leftovers of a dead writer in the wal-index are gone once the block is loaded', () => {
  const primary = createPrimary()
  const replica = createReplica(primary)
  commitRound(primary.writer)
  ship(primary, replica)
  const before = readFileSync(`${replica.path}-shm`)
  const { lastFrame } = replica.file.walIndex.readHeader()
  // Entries without a commit, as after a kill between page numbers and header, while another process keeps the -shm alive.
  const dead = new WalIndex(replica.path)
  dead.loadBlock(lastFrame)
  dead.appendFrames(
    lastFrame,
    Array.from({ length: 2000 }, (_, index) => (index % 30) + 1),
  )
  expect(readFileSync(`${replica.path}-shm`).equals(before)).toBe(false)
  new WalIndex(replica.path).loadBlock(lastFrame)
  expect(readFileSync(`${replica.path}-shm`).equals(before)).toBe(true)
  replica.close()
  primary.close()
})
