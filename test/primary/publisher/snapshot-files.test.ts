import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { CommitLog } from '../../../primary/commit-log/commit-log.ts'
import { SnapshotFiles } from '../../../primary/publisher/snapshot-files.ts'
import { systemClock } from '../../../shared/clock.ts'
import { logOptions } from '../commit-log/log-options.ts'

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-snapshots-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

test('a snapshot that cannot make its file names it and releases the database for a WAL reset', async () => {
  const [data, folder] = [scratch(), scratch()]
  const log = new CommitLog(logOptions(data))
  const snapshots = new SnapshotFiles({
    folder,
    pin: () => ({ view: log.pin(), position: log.head }),
    clock: systemClock,
    canFollow: () => true,
    paused: () => false,
    onDiskFull: () => undefined,
    onDamaged: (error) => expect.unreachable(error.message),
  })
  rmSync(folder, { recursive: true })
  await expect(snapshots.open()).rejects.toMatchObject({ code: 'io_failed', message: expect.stringContaining(folder) })
  expect((await log.checkpoint()).kind).toBe('backfilled')
  log.close()
})
