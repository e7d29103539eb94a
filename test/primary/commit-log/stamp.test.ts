/** Segments are stamped with the authority's time, whatever the wall clock shows. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { CommitLog } from '../../../primary/commit-log/commit-log.ts'
import { systemClock } from '../../../shared/clock.ts'
import { MetaReader } from '../../../shared/database/meta.ts'
import type { Txid } from '../../../shared/ids.ts'
import { decodeHeader } from '../../../shared/ltx/header.ts'
import { logOptions } from './log-options.ts'

const HOUR_MS = 3_600_000
const AHEAD = { ...systemClock, wallMs: () => systemClock.wallMs() + HOUR_MS }

function openIn(folder: string): CommitLog {
  mkdirSync(folder, { recursive: true })
  const log = new CommitLog({ ...logOptions(folder), clock: AHEAD })
  log.connect(() => undefined)
  onTestFinished(() => log.close())
  return log
}

function commit(log: CommitLog, stampMs: number): Txid {
  const audit = "INSERT INTO audit VALUES (NULL, 0, 'somebody', '', '', '', '', x'')"
  log.db.exec(`BEGIN; UPDATE meta SET txid = txid + 1; ${audit}; COMMIT`)
  return log.captureCommit(stampMs).txid
}

const timeOf = (log: CommitLog, txid: Txid): number => decodeHeader(log.segment(txid) ?? Buffer.alloc(0)).timestampMs

test('a segment is stamped with the authority’s time, one that a crash left with the issue clock', () => {
  const root = mkdtempSync(join(tmpdir(), 'stamp-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  const live = openIn(join(root, 'live'))
  const stampMs = systemClock.wallMs() + 60_000
  commit(live, stampMs)
  const { issueClockMs } = new MetaReader(live.db).read()
  const txid = commit(live, stampMs)
  expect(timeOf(live, txid)).toBeLessThan(issueClockMs + HOUR_MS / 2)

  const crashed = join(root, 'crashed')
  execFileSync('cp', ['-r', join(root, 'live'), crashed])
  rmSync(join(crashed, 'macaroond.db-shm'), { force: true })
  const [name = ''] = readdirSync(join(crashed, 'log')).filter((file) => file.endsWith('.segments'))
  const newest = join(crashed, 'log', name)
  truncateSync(newest, statSync(newest).size - 10)
  const recovered = openIn(crashed)
  expect(timeOf(recovered, txid)).toBeLessThan(issueClockMs + HOUR_MS / 2)
})
