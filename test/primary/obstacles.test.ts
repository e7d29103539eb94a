/** The primary's reaction to obstacles of its own database, on a real commit log. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Command, CommandOf } from '../../primary/authority/commands.ts'
import { CommitLog } from '../../primary/commit-log/commit-log.ts'
import type { Attempt } from '../../primary/commit-log/group-writer.ts'
import { Obstacles } from '../../primary/obstacles.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { silentLog } from '../../shared/log.ts'
import { logOptions } from './commit-log/log-options.ts'

const NOW_MS = 1_800_000_000_000

interface Scene {
  readonly obstacles: Obstacles
  readonly log: CommitLog
  readonly submitted: Command[]
  readonly storage: { writable: boolean }
}

function scene(clock: { monotonicMs: () => number } = { monotonicMs: () => 0 }): Scene {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-obstacles-'))
  const log = new CommitLog(logOptions(folder))
  onTestFinished(() => {
    log.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const submitted: Command[] = []
  const storage = { writable: false }
  const submit = (command: Command): Promise<never> => {
    submitted.push(command)
    if (storage.writable) return Promise.resolve({} as never)
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
  return { obstacles, log, submitted, storage }
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

const reloadBy = (text: string): CommandOf<'audit.note'> => ({
  kind: 'audit.note',
  actor: { text },
  action: 'configuration.reload',
  detail: {},
})

test('the record of an operation says whether it is written, and no note takes its place', async () => {
  const { obstacles, submitted, storage } = scene()
  storage.writable = true
  expect(await obstacles.record(reloadBy('a'))).toBe(true)
  storage.writable = false
  expect(await obstacles.record(reloadBy('b'))).toBe(false)
  expect(await obstacles.record(reloadBy('c'))).toBe(false)
  // Each turn notes the start and the end of an obstacle: more notes than are kept.
  for (let turn = 0; turn < 100; turn += 1) {
    obstacles.attempted(attempt(FULL, true))
    obstacles.attempted(attempt(undefined, true))
  }
  submitted.length = 0
  storage.writable = true
  obstacles.check()
  const written = (): readonly string[] =>
    submitted.flatMap((command) =>
      command.kind === 'audit.note' && command.action === 'configuration.reload' ? command.actor.text : [],
    )
  await expect.poll(written).toEqual(['b', 'c'])
  expect(await obstacles.record(reloadBy('d'))).toBe(true)
  expect(written()).toEqual(['b', 'c', 'd'])
})

test('records of operations at the same time are each written once, in their order', async () => {
  const { obstacles, submitted, storage } = scene()
  storage.writable = true
  const names = ['a', 'b', 'c']
  expect(await Promise.all(names.map((name) => obstacles.record(reloadBy(name))))).toEqual([true, true, true])
  expect(submitted.map((command) => 'actor' in command && command.actor.text)).toEqual(names)
})
