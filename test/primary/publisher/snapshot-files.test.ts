import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { CommitLog } from '../../../primary/commit-log/commit-log.ts'
import { SnapshotFiles } from '../../../primary/publisher/snapshot-files.ts'
import { createDatabase, isEmptyDatabase } from '../../../primary/store/create-database.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { kekFromHex } from '../../../shared/sealing.ts'

const kek = kekFromHex('5a'.repeat(32))

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-snapshots-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function openLog(folder: string): CommitLog {
  return new CommitLog({
    database: join(folder, 'macaroond.db'),
    logFolder: join(folder, 'log'),
    keepBytes: 1e9,
    cluster: 'test',
    clock: systemClock,
    initialize: (db) => {
      if (isEmptyDatabase(db)) createDatabase(db, { cluster: 'test', kek, clock: systemClock, entropy: systemEntropy })
    },
    onCommitted: () => undefined,
    onGap: (gap) => expect.unreachable(`a gap after ${gap.logged}`),
    onDamagedLog: (error) => expect.unreachable(error.message),
  })
}

test('a snapshot whose file cannot be made lets go of the database, so that its WAL can be reset, and says which file', async () => {
  const [data, folder] = [scratch(), scratch()]
  const log = openLog(data)
  const snapshots = new SnapshotFiles({
    folder,
    pin: () => ({ view: log.pin(), position: log.head }),
    clock: systemClock,
    canFollow: () => true,
    onDamaged: (error) => expect.unreachable(error.message),
  })
  rmSync(folder, { recursive: true })
  await expect(snapshots.open()).rejects.toMatchObject({ code: 'io_failed', message: expect.stringContaining(folder) })
  expect((await log.checkpoint()).kind).toBe('backfilled')
  log.close()
})
