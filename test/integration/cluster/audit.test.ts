/** The audit chain is checked by the program itself: at start, by the scrub, and when an operator asks. */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '../../../shared/clock.ts'
import { commandLine } from '../cli/command.ts'
import { Cluster, until } from './harness.ts'
import { openStoppedLog } from './stopped-log.ts'

/** Commits to the database of a stopped primary as the primary would, so that no checksum tells. */
function commit(folder: string, sql: string): void {
  const log = openStoppedLog(folder)
  log.db.exec(`BEGIN IMMEDIATE; ${sql}; UPDATE meta SET txid = txid + 1; COMMIT`)
  log.connect(() => undefined)
  log.captureCommit(systemClock.wallMs())
  log.close()
}

test('a changed audit record raises an alarm at the next start, and `audit verify` names it', async () => {
  const cluster = await Cluster.start()
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  const profile = await cluster.profile()
  const sound = await commandLine(['audit', 'verify', '--json'], { profile })
  expect(sound.json()).toMatchObject({ ok: true, chains: [{ node: 'primary', ok: true }, { node: 'replica fra' }] })
  await cluster.caughtUp()
  await cluster.stopReplica()
  await cluster.stopPrimary()
  commit(cluster.primaryFolder, "UPDATE audit SET actor = 'nobody' WHERE seq = 2")
  await cluster.startPrimary()
  await cluster.startReplica()
  await cluster.caughtUp()
  await until(async () => (await cluster.primaryStatus()).alarms.length > 0, 'the primary raises an alarm')
  const [alarm] = (await cluster.primaryStatus()).alarms
  expect(alarm).toMatchObject({ code: 'audit_broken', severity: 'critical' })
  expect(alarm?.message).toContain('record 2 does not follow')
  const ran = await commandLine(['audit', 'verify'], { profile: await cluster.profile() })
  expect(ran.status).toBe(1)
  expect(ran.stdout).toContain('primary: BROKEN: record 2 does not follow')
  expect(ran.stdout).toContain('replica fra: BROKEN: record 2 does not follow')
  await cluster.stopReplica()
  // It has checked that record before, and goes on from a later one.
  rmSync(join(cluster.replicaFolder(), 'audit-checked.json'))
  await cluster.startReplica()
  await until(async () => (await cluster.replicaStatus()).alarms.length > 0, 'the replica raises an alarm')
  await cluster.stopReplica()
  await cluster.stopPrimary()
  const file = join(cluster.primaryFolder, 'macaroond.db')
  const offline = await commandLine(['audit', 'verify', '--database', file, '--json'])
  expect(offline.json()).toMatchObject({ ok: false, chains: [{ node: file, problem: expect.any(String) }] })
})

test('every node remembers the last record that it checked, and a node that is down is named', async () => {
  const cluster = await Cluster.start()
  const profile = await cluster.profile()
  await until(() => existsSync(join(cluster.primaryFolder, 'audit-checked.json')), 'the primary has checked')
  await cluster.stopReplica()
  const ran = await commandLine(['audit', 'verify', '--json'], { profile })
  expect(ran.status).toBe(4)
  expect(ran.json()).toMatchObject({ ok: false, chains: [{ node: 'primary', ok: true }, { error: {} }] })
  const checked: unknown = JSON.parse(readFileSync(join(cluster.primaryFolder, 'audit-checked.json'), 'utf8'))
  expect(checked).toMatchObject({ seq: expect.any(Number) })
})
