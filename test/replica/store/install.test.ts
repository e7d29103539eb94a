import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { snapshotFields } from '../../../primary/commit-log/write-snapshot.ts'
import { DatabaseCopy } from '../../../replica/store/database-copy.ts'
import { SnapshotFile } from '../../../replica/store/snapshot-file.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { epoch, timeline, txid } from '../../../shared/ids.ts'
import { PAGE_BYTES } from '../../../shared/limits.ts'
import { silentLog } from '../../../shared/log.ts'
import { SegmentEncoder } from '../../../shared/ltx/encoder.ts'
import { PageChecksums } from '../../../shared/ltx/rolling-checksum.ts'

/** Page 1 with the header of a WAL database, and nothing behind it that SQLite could open. */
function unopenablePage(): Buffer {
  const page = Buffer.alloc(PAGE_BYTES)
  page.write('SQLite format 3\0', 'latin1')
  page.writeUInt16BE(PAGE_BYTES, 16)
  page.set([2, 2, 0, 64, 32, 32], 18)
  return page
}

test('an install that fails after the file got its name keeps no later snapshot out', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-install-'))
  const onReopened = (): void => undefined
  const clocks = { clock: systemClock, entropy: systemEntropy }
  const copy = new DatabaseCopy({ ...clocks, folder, cluster: 'test', log: silentLog, onReopened })
  copy.beforeInstall((_replacement, install) => install())
  onTestFinished(() => {
    copy.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const page = unopenablePage()
  const checksums = new PageChecksums(PAGE_BYTES)
  checksums.set(1, page)
  const position = { epoch: epoch(1), txid: txid(7), checksum: checksums.checksum }
  const next = { position, timeline: timeline('a'.repeat(32)) }
  const snapshot = new SnapshotFile(join(folder, 'incoming'))
  const encoder = new SegmentEncoder(snapshotFields(1, position, 0))
  for (const piece of [encoder.header(), encoder.page(1, page), encoder.finish()]) snapshot.write(piece)
  expect(snapshot.received).toBe(1)
  snapshot.finish()

  for (const attempt of [1, 2]) {
    await expect(copy.install(snapshot, 1, next), `attempt ${attempt}`).rejects.toMatchObject({
      code: 'database_corrupt',
    })
    expect(readdirSync(folder).filter((name) => name.startsWith('macaroond.db'))).toEqual([])
  }
  expect(copy.applied).toBeUndefined()
})
