/** Nothing that was committed, recorded or applied is lost or torn when the process is killed at any moment. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { openReader } from '../../../shared/sqlite/open-database.ts'
import { createDatabase } from '../../../shared/sqlite/create-database.ts'
import {
  commitRound,
  createPrimary,
  createReplica,
  fileBytes,
  openPrimary,
  openReplica,
  roundsSeen,
  scratchDirectory,
  ship,
} from '../../shared/sqlite/scratch.ts'
import { Child } from './child.ts'
import { decodeRecords, encodeRecord } from './page-record.ts'

const KILLS = 15
const AFTER_MS_MAX = 60

test('a replica killed at any moment has the last transaction that it synced, or the next, whole', async () => {
  const primary = createPrimary()
  const replica = createReplica(primary)
  replica.close()
  const rounds: Buffer[] = []
  for (let round = 1; round <= 40; round += 1) {
    commitRound(primary.writer)
    rounds.push(...primary.log.poll().map((transaction) => encodeRecord(round, transaction)))
  }
  const log = join(scratchDirectory(), 'rounds')
  writeFileSync(log, Buffer.concat(rounds))

  for (let kill = 0; kill < KILLS; kill += 1) {
    // In every second life another process keeps the wal-index alive, so that SQLite recovers nothing and the next appender
    // finds what the dead one left.
    const witness = kill % 2 === 0 ? Child.start('reading-child.ts', replica.path) : undefined
    await witness?.seen(1)
    const child = Child.start('replica-child.ts', replica.path, log)
    onTestFinished(() => child.kill())
    await child.seen(1)
    await setTimeout(Math.random() * AFTER_MS_MAX)
    await child.kill()
    expect(child.process.signalCode).toBe('SIGKILL')
    const last = Number(child.lines.at(-1))
    const reader = openReader(replica.path)
    const seen = roundsSeen(reader)
    expect(seen).toHaveLength(1)
    expect([last, (last % 40) + 1]).toContain(seen[0])
    expect(reader.pragma('integrity_check', { simple: true })).toBe('ok')
    // Readers of other processes may stay while we close: the last one checkpoints nothing that was not whole.
    reader.close()
    await witness?.end()
    if (witness !== undefined) expect(witness.lines.at(-1)).toMatchObject({ torn: 0 })
  }

  const survivor = openReplica(replica.path)
  ship(primary, survivor)
  for (const record of decodeRecords(readFileSync(log)).records.slice(-1)) survivor.appender.apply(record)
  expect((await primary.checkpointer.checkpoint()).kind).toBe('truncated')
  expect((await survivor.appender.checkpoint()).kind).toBe('truncated')
  expect(fileBytes(survivor.file).equals(fileBytes(primary.file))).toBe(true)
  survivor.close()
  primary.close()
})

test('a primary killed at any time records every commit once, and its log rebuilds its file', async () => {
  const directory = scratchDirectory()
  const path = join(directory, 'primary.db')
  const log = join(directory, 'log')
  let acknowledged = 0
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const child = Child.start('primary-child.ts', path, log, String(kill))
    onTestFinished(() => child.kill())
    await child.seen(1)
    await setTimeout(Math.random() * AFTER_MS_MAX)
    await child.kill()
    expect(child.process.signalCode).toBe('SIGKILL')
    acknowledged = Number(child.lines.at(-1))
    expect(decodeRecords(readFileSync(log)).records.at(-1)?.txid).toBeGreaterThanOrEqual(acknowledged)
  }

  const primary = openPrimary(path)
  const { records } = decodeRecords(readFileSync(log))
  const known = records.at(-1)
  const missing = primary.log
    .poll()
    .filter(({ salt1, endFrame }) => salt1 !== known?.salt1 || endFrame > known.endFrame)
  expect(records.map(({ txid }) => txid)).toEqual(records.map((_, index) => index + 1))
  expect(primary.writer.prepare('SELECT txid FROM meta').pluck().get()).toBe(records.length + missing.length)
  const [first, ...rest] = records
  if (first === undefined) throw new Error('nothing was recorded')
  const copy = join(directory, 'copy.db')
  createDatabase(copy, first.commitPages, first.pages)
  const replica = openReplica(copy)
  for (const record of rest) replica.appender.apply(record)
  for (const transaction of missing) replica.appender.apply(transaction)
  expect((await primary.checkpointer.checkpoint()).kind).toMatch(/truncated|empty/)
  expect((await replica.appender.checkpoint()).kind).toMatch(/truncated|empty/)
  expect(fileBytes(replica.file).equals(fileBytes(primary.file))).toBe(true)
  const reader = openReader(copy)
  expect(reader.pragma('integrity_check', { simple: true })).toBe('ok')
  reader.close()
  replica.close()
  primary.close()
  expect(records.length).toBeGreaterThan(KILLS)
})
