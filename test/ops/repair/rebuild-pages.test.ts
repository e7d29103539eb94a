/** The pages of a damaged primary, from what a crash and another program have left of its disk. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { DamagedLog } from '../../../ops/repair/damaged-log.ts'
import { rebuildPages } from '../../../ops/repair/rebuild-pages.ts'
import type { RebuiltPages } from '../../../ops/restore/repaired.ts'
import { CommitLog } from '../../../primary/commit-log/commit-log.ts'
import { positionText } from '../../../shared/position.ts'
import { logOptions } from '../../primary/commit-log/log-options.ts'
import { scratchDirectory } from '../../shared/sqlite/scratch.ts'

class Disk {
  readonly folder: string = join(scratchDirectory(), 'primary')
  readonly live: CommitLog

  constructor() {
    mkdirSync(this.folder)
    this.live = new CommitLog(logOptions(this.folder))
    this.live.connect(() => undefined)
    onTestFinished(() => this.live.close())
  }

  commit(): void {
    this.live.db.exec(
      "BEGIN; UPDATE meta SET txid = txid + 1; INSERT INTO audit VALUES (NULL, 0, 'x', '', '', '', '', x''); COMMIT",
    )
    this.live.captureCommit(Date.now())
  }

  /** By another process, so that no lock of this one is dropped. */
  foreign(statement: string): void {
    execFileSync('sqlite3', [join(this.folder, 'macaroond.db'), statement])
  }

  /** As a crash leaves it, and `bytes` of the log's end did not reach the disk. */
  async rebuilt(bytes: number): Promise<RebuiltPages> {
    const folder = `${this.folder}-copy`
    execFileSync('cp', ['-r', this.folder, folder])
    const [file = ''] = readdirSync(join(folder, 'log')).filter((name) => name.endsWith('.segments'))
    const path = join(folder, 'log', file)
    truncateSync(path, statSync(path).size - bytes)
    const log = DamagedLog.open(join(folder, 'log'))
    onTestFinished(() => log.close())
    const copy = { folder, database: join(folder, 'macaroond.db'), role: 'primary', journal: undefined } as const
    return rebuildPages({ copy, log, archive: undefined, scratch: (name) => join(folder, name) })
  }
}

test('transactions only in the WAL are kept, up to the first one of another program', async () => {
  const disk = new Disk()
  for (let count = 0; count < 4; count += 1) disk.commit()
  const acknowledged = positionText(disk.live.head)
  disk.foreign('VACUUM')
  const { position, remarks, isNewest } = await disk.rebuilt(10)
  expect(positionText(position)).toBe(acknowledged)
  expect(remarks).toEqual([
    expect.stringContaining('its log ends as after a crash'),
    expect.stringContaining('another program wrote a transaction'),
  ])
  expect(isNewest).toBe(true)
})

test('a commit on top of another program’s, which was never acknowledged, is left out with it', async () => {
  const disk = new Disk()
  disk.commit()
  const acknowledged = positionText(disk.live.head)
  disk.foreign('VACUUM')
  expect(() => disk.commit()).toThrow(expect.objectContaining({ code: 'foreign_write' }))
  const { position } = await disk.rebuilt(0)
  expect(positionText(position)).toBe(acknowledged)
})

test('pages that a checkpoint has copied over the file are not taken for the primary’s', async () => {
  const disk = new Disk()
  disk.commit()
  await disk.live.checkpoint()
  disk.commit()
  const folder = `${disk.folder}-checkpointed`
  execFileSync('cp', ['-r', disk.folder, folder])
  execFileSync('sqlite3', [join(folder, 'macaroond.db'), 'UPDATE root_keys SET state = state; VACUUM'])
  execFileSync('sh', ['-c', `rm -r ${folder}/log; cp -r ${disk.folder}/log ${folder}/log`])
  const log = DamagedLog.open(join(folder, 'log'))
  onTestFinished(() => log.close())
  const copy = { folder, database: join(folder, 'macaroond.db'), role: 'primary', journal: undefined } as const
  const rebuilding = rebuildPages({ copy, log, archive: undefined, scratch: (name) => join(folder, name) })
  await expect(rebuilding).rejects.toMatchObject({ code: 'database_corrupt' })
})
