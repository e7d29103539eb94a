/** What other programs do to a database that a node has open: nothing may get lost, and what cannot be prevented must be found. */
import { spawnSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { onTestFinished, expect, test } from 'vitest'
import { openReader, openWritable } from '../../../shared/sqlite/open-database.ts'
import {
  commitRound,
  createPrimary,
  createReplica,
  fileBytes,
  roundsSeen,
  ship,
  snapshot,
} from '../../shared/sqlite/scratch.ts'
import { WalReader } from '../../../shared/sqlite/wal-reader.ts'
import { Child } from './child.ts'

/** Another process with a connection of its own on `path`. */
async function openForeign(path: string): Promise<(sql: string) => Promise<unknown>> {
  const child = Child.start('foreign-child.ts')
  onTestFinished(() => child.kill())
  const ask = async (order: object): Promise<unknown> => {
    child.send(order)
    await child.seen(child.lines.length + 1)
    const answer = child.lines.at(-1) as { value?: unknown; error?: string }
    if (answer.error !== undefined) throw new Error(answer.error)
    return answer.value
  }
  await ask({ open: path })
  return (sql) => ask(sql === 'CLOSE' ? { close: true } : { sql })
}

test.each(['TRUNCATE', 'RESTART', 'FULL', 'PASSIVE'])(
  'a %s checkpoint between our commit and our poll loses nothing, because the guard is there',
  async (mode) => {
    const primary = createPrimary()
    const foreign = await openForeign(primary.path)
    for (let round = 1; round <= 10; round += 1) {
      commitRound(primary.writer)
      await foreign(`PRAGMA wal_checkpoint(${mode})`)
      expect(primary.log.poll()).toHaveLength(1)
      if (round % 3 === 0) expect((await primary.checkpointer.checkpoint()).kind).toBe('truncated')
    }
    primary.close()
  },
)

test('without the guard the same checkpoint makes a transaction vanish: the guard saves it', async () => {
  const primary = createPrimary()
  const foreign = await openForeign(primary.path)
  primary.guard.close()
  commitRound(primary.writer)
  expect(await foreign('PRAGMA wal_checkpoint(TRUNCATE)')).toEqual([{ busy: 0, log: 0, checkpointed: 0 }])
  expect(primary.log.poll()).toEqual([])
  primary.log.close()
  primary.writer.close()
  primary.file.close()
})

test('a write of another program comes out as one more transaction', async () => {
  const primary = createPrimary()
  const foreign = await openForeign(primary.path)
  commitRound(primary.writer)
  await foreign('INSERT INTO bulk(data) VALUES (1)')
  expect(primary.log.poll()).toHaveLength(2)
  primary.close()
})

test('another program cannot take the database out of WAL mode', async () => {
  const primary = createPrimary()
  const foreign = await openForeign(primary.path)
  await expect(foreign('PRAGMA journal_mode = DELETE')).rejects.toThrow(/locked/)
  commitRound(primary.writer)
  expect(primary.log.poll()).toHaveLength(1)
  primary.close()
})

test('programs that come and go do not take the WAL with them, because our locks hold', async () => {
  const primary = createPrimary()
  const replica = createReplica(primary)
  for (let round = 1; round <= 3; round += 1) {
    const [atPrimary, atReplica] = await Promise.all([openForeign(primary.path), openForeign(replica.path)])
    for (const foreign of [atPrimary, atReplica]) {
      await foreign('SELECT count(*) FROM rows')
      await foreign('CLOSE')
    }
    commitRound(primary.writer)
    expect(ship(primary, replica)).toHaveLength(1)
  }
  const later = await openForeign(replica.path)
  expect(await later('SELECT DISTINCT txid FROM rows')).toEqual([{ txid: 3 }])
  replica.close()
  primary.close()
})

test('readers of another process see no torn or older state during applies and checkpoints', async () => {
  const primary = createPrimary()
  const replica = createReplica(primary)
  const reader = Child.start('reading-child.ts', replica.path)
  onTestFinished(() => reader.kill())
  await reader.seen(1)
  for (let round = 1; round <= 1500; round += 1) {
    commitRound(primary.writer, round % 50 === 0 ? 'INSERT INTO bulk(data) VALUES (randomblob(500000))' : '')
    ship(primary, replica)
    if (round % 100 === 0) {
      await replica.appender.checkpoint()
      primary.log.poll()
      await primary.checkpointer.checkpoint()
    }
    if (round % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  await reader.end()
  const result = reader.lines.at(-1) as { reads: number; torn: number; backwards: number; last: number }
  expect(result).toMatchObject({ torn: 0, backwards: 0 })
  expect(result.reads).toBeGreaterThan(50)
  expect((await primary.checkpointer.checkpoint()).kind).toMatch(/truncated|empty/)
  expect((await replica.appender.checkpoint()).kind).toMatch(/truncated|empty/)
  expect(fileBytes(replica.file).equals(fileBytes(primary.file))).toBe(true)
  replica.close()
  primary.close()
})

/** Locks of this process on `path`, as the kernel lists them. */
function locksOn(path: string): number {
  const inode = `:${statSync(path).ino} `
  const lines = readFileSync('/proc/locks', 'utf8').split('\n')
  return lines.filter((line) => line.includes(` ${process.pid} `) && line.includes(inode)).length
}

test.skipIf(process.platform !== 'linux')(
  'views, readers and checkpoints come and go without dropping a lock of SQLite',
  async () => {
    const primary = createPrimary()
    const replica = createReplica(primary)
    // What SQLite keeps for as long as it is connected: one on the file, and on the -shm at least the one that says "in use".
    const held = (): number[] =>
      [primary, replica].flatMap(({ path }) => [locksOn(path), Math.min(locksOn(`${path}-shm`), 1)])
    expect(held()).toEqual([1, 1, 1, 1])
    for (let round = 1; round <= 3; round += 1) {
      commitRound(primary.writer)
      ship(primary, replica)
      for (const file of [primary.file, replica.file]) snapshot(file)
      const second = new WalReader(primary.path)
      second.poll()
      second.close()
      openReader(replica.path).close()
      await primary.checkpointer.checkpoint()
      await replica.appender.checkpoint()
      expect(held()).toEqual([1, 1, 1, 1])
    }
    // The control: this is all it takes.
    readFileSync(primary.path)
    expect(held()).toEqual([0, 1, 1, 1])
    replica.close()
    primary.close()
  },
)

test('the write lock of another process makes an apply busy, and its write is found afterwards', async () => {
  const primary = createPrimary()
  const replica = createReplica(primary)
  const foreign = await openForeign(replica.path)
  await foreign('BEGIN IMMEDIATE')
  commitRound(primary.writer)
  const [transaction] = primary.log.poll()
  if (transaction === undefined) throw new Error('no transaction')
  expect(replica.appender.apply(transaction)).toEqual({ applied: false, busy: true })
  await foreign('COMMIT')
  expect(replica.appender.apply(transaction).applied).toBe(true)
  await foreign('UPDATE meta SET txid = txid')
  await foreign('DELETE FROM rows WHERE id = 40')
  commitRound(primary.writer)
  expect(() => ship(primary, replica)).toThrow(/another program wrote/)
  replica.close()
  primary.close()
})

const cli = spawnSync('sqlite3', ['--version']).status === 0

test.skipIf(!cli)('the sqlite3 command line reads a replica, and its checkpoints and exits harm nothing', () => {
  const primary = createPrimary()
  const replica = createReplica(primary)
  const reader = openWritable(replica.path)
  for (let round = 1; round <= 5; round += 1) {
    commitRound(primary.writer)
    ship(primary, replica)
    const query = 'SELECT DISTINCT txid FROM rows; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA integrity_check;'
    const { stdout } = spawnSync('sqlite3', [replica.path, query], { encoding: 'utf8' })
    expect(stdout.split('\n')[0]).toBe(String(round))
    expect(stdout.trimEnd().endsWith('ok')).toBe(true)
    expect(roundsSeen(reader)).toEqual([round])
  }
  reader.close()
  replica.close()
  primary.close()
})
