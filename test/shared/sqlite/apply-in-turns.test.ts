import { setImmediate } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemEntropy } from '../../../shared/clock.ts'
import { openReader, openWritable } from '../../../shared/sqlite/open-database.ts'
import { createDatabase } from '../../../shared/sqlite/create-database.ts'
import { DatabaseFile } from '../../../shared/sqlite/database-file.ts'
import { WalAppender } from '../../../shared/sqlite/wal-appender.ts'
import { WalReader } from '../../../shared/sqlite/wal-reader.ts'

let folder: string | undefined
afterEach(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
})

describe('a transaction as large as a snapshot', () => {
  test('is applied in turns: readers see the old state until its end, and nothing checkpoints', async () => {
    folder = mkdtempSync(join(tmpdir(), 'turns-'))
    const [original, copy] = [join(folder, 'original'), join(folder, 'copy')]
    const writer = openWritable(original)
    const log = new WalReader(original)
    writer.exec('CREATE TABLE filler (id INTEGER PRIMARY KEY, bytes BLOB); INSERT INTO filler VALUES (1, NULL)')
    const first = log.poll()
    for (const [index, change] of first.entries())
      if (index === 0) createDatabase(copy, change.commitPages, change.pages)
    const file = DatabaseFile.open(copy)
    const appender = WalAppender.open(file, systemEntropy)
    for (const change of first.slice(1)) appender.apply(change)
    writer.exec(
      'WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO filler SELECT i, randomblob(3000) FROM n',
    )
    const [large] = log.poll()
    expect(large?.pages.length).toBeGreaterThan(1000)

    const reader = openReader(copy)
    const count = reader.prepare<[], number>('SELECT count(*) FROM filler').pluck()
    let turns = 0
    const result = await appender.applyInTurns(large!, async () => {
      turns += 1
      expect(count.get()).toBe(1)
      expect(await appender.checkpoint(1)).toEqual({ kind: 'busy' })
      await setImmediate()
    })
    expect(result).toEqual({ applied: true, frames: large!.pages.length })
    expect(turns).toBeGreaterThan(3)
    expect(count.get()).toBe(2000)
    reader.close()

    expect(await appender.checkpoint()).toEqual({ kind: 'truncated' })
    appender.close()
    file.close()
    writer.close()
    log.close()
    expect(readFileSync(copy).equals(readFileSync(original))).toBe(true)
  })
})
