/** The primary's reaction to obstacles of its own database, on a real commit log. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Command } from '../../primary/authority/commands.ts'
import { CommitLog } from '../../primary/commit-log/commit-log.ts'
import type { Attempt } from '../../primary/commit-log/group-writer.ts'
import { Obstacles } from '../../primary/obstacles.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { silentLog } from '../../shared/log.ts'
import { logOptions } from './commit-log/log-options.ts'

const NOW_MS = 1_800_000_000_000

function scene(clock: { monotonicMs: () => number } = { monotonicMs: () => 0 }): {
  readonly obstacles: Obstacles
  readonly log: CommitLog
  readonly submitted: Command[]
} {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-obstacles-'))
  const log = new CommitLog(logOptions(folder))
  onTestFinished(() => {
    log.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const submitted: Command[] = []
  const submit = (command: Command): Promise<never> => {
    submitted.push(command)
    return Promise.reject(new MacaroondError('io_failed', 'no write succeeds'))
  }
  const moment = { nowMs: NOW_MS, steadyMs: NOW_MS, wallMs: NOW_MS, believed: undefined }
  const obstacles = new Obstacles({
    commitLog: log,
    authorityClock: { time: { credible: true, earliestMs: NOW_MS, latestMs: NOW_MS }, moment },
    boundMs: 5_100,
    writer: { submit, appendDueCutOffs: () => undefined },
    gate: { closedBy: undefined, refusal: () => undefined },
    onChange: () => undefined,
    clock,
    log: silentLog,
  })
  return { obstacles, log, submitted }
}

const FULL = new MacaroondError('disk_full', 'full')
const attempt = (error: unknown, essential: boolean): Attempt => ({ error, essential })

test('a database in which no transaction can begin ends the leases, and not the process', () => {
  const { obstacles, log } = scene()
  obstacles.check()
  expect(obstacles.blockedBy).toBeUndefined()
  log.db.close()
  obstacles.check()
  expect(obstacles.blockedBy).toContain('starting a transaction')
})

test('a retried write that succeeds blocked nothing; one that fails again blocks until recorded', () => {
  const { obstacles, submitted } = scene()
  obstacles.attempted(attempt(FULL, false))
  obstacles.attempted(attempt(undefined, false))
  expect(obstacles.blockedBy).toBeUndefined()
  obstacles.attempted(attempt(FULL, true))
  expect(obstacles.blockedBy).toBe('full')
  obstacles.check()
  expect(submitted).toMatchObject([{ kind: 'audit.note', action: 'disk.full' }])
})

test('a lock that outlasts the bound between two checks is audited from its start to its end', () => {
  let nowMs = 0
  const { obstacles, submitted } = scene({ monotonicMs: () => nowMs })
  obstacles.attempted(attempt(new MacaroondError('overloaded', 'locked'), true))
  nowMs = 5_101
  obstacles.attempted(attempt(undefined, true))
  expect(obstacles.blockedBy).toBeUndefined()
  obstacles.check()
  expect(submitted).toMatchObject([{ kind: 'audit.note', action: 'revocations.blocked' }])
})
