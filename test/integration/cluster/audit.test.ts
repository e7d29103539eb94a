/** The audit chain is checked by the program itself: at start, by the scrub, and when an operator asks. */
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { CommitLog } from '../../../primary/commit-log/commit-log.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { AUDIT_SLICE_ROWS, auditProblem } from '../../../shared/database/audit-chain.ts'
import { type Database, openReader, openWritable } from '../../../shared/sqlite/open-database.ts'
import { nextAuditRow } from '../../../primary/authority/audit.ts'
import { RowWriter } from '../../../primary/store/row-writer.ts'
import { AlarmBoard } from '../../../shared/service/alarm-board.ts'
import { AuditWatch } from '../../../shared/service/audit-watch.ts'
import { silentLog } from '../../../shared/log.ts'
import { commandLine } from '../cli/command.ts'
import { Cluster, CLUSTER, scratch, until } from './harness.ts'

/** Commits to the database of a stopped primary as the primary would, so that no checksum tells. */
function commit(folder: string, sql: string): void {
  const log = new CommitLog({
    database: join(folder, 'macaroond.db'),
    logFolder: join(folder, 'log'),
    keepBytes: 100_000_000,
    cluster: CLUSTER,
    clock: systemClock,
    entropy: systemEntropy,
    reserveBytes: 0,
    initialize: () => undefined,
    onGap: () => undefined,
    onDamagedLog: () => undefined,
  })
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

/** A database with a long chain, and a watch over it. */
async function watched(): Promise<{ db: Database; watch: AuditWatch; board: AlarmBoard; path: string }> {
  const cluster = await Cluster.start({ regions: [], primary: { alone: true } })
  await cluster.stopPrimary()
  const file = join(scratch(), 'copy.db')
  copyFileSync(join(cluster.primaryFolder, 'macaroond.db'), file)
  const db = openWritable(file)
  onTestFinished(() => void db.close())
  lengthen(db, 2 * AUDIT_SLICE_ROWS)
  const board = new AlarmBoard(systemClock, silentLog)
  const path = join(scratch(), 'audit-checked.json')
  return {
    db,
    path,
    board,
    watch: new AuditWatch({ path, db: () => db, timers: systemClock, alarms: board, log: silentLog }),
  }
}

function lengthen(db: Database, records: number): void {
  const writer = new RowWriter(db)
  const { seq, hash } = db
    .prepare<[], { seq: number; hash: Buffer }>('SELECT audit_seq AS seq, audit_head AS hash FROM meta')
    .get()!
  let head: { readonly seq: number; readonly hash: Uint8Array } = { seq, hash }
  db.exec('BEGIN IMMEDIATE')
  for (let count = 0; count < records; count += 1) {
    const row = nextAuditRow(head, { atMs: count, actor: 'a', action: 'b', org: '', target: '', detail: { count } })
    writer.write({ table: 'audit', row })
    head = row
  }
  db.prepare('UPDATE meta SET audit_seq = ?, audit_head = ?').run(head.seq, head.hash)
  db.exec('COMMIT')
}

test('a check goes on from the last record; only a whole one sees what lies before it', async () => {
  const { db, watch, board } = await watched()
  const { signal } = new AbortController()
  await watch.sinceLast(signal)
  expect(board.list).toEqual([])
  db.exec("UPDATE audit SET detail = '{}' WHERE seq = 3")
  lengthen(db, 3)
  await watch.sinceLast(signal)
  expect(board.list).toEqual([])
  await watch.whole(signal)
  expect(board.list[0]?.message).toContain('record 3 does not follow')
})

test('a chain that was recomputed from some record on is found by the record checked before', async () => {
  const { db, watch, board, path } = await watched()
  const { signal } = new AbortController()
  await watch.sinceLast(signal)
  db.exec('DELETE FROM audit WHERE seq > 5')
  const { hash } = db.prepare<[], { hash: Buffer }>('SELECT hash FROM audit WHERE seq = 5').get()!
  db.prepare('UPDATE meta SET audit_seq = 5, audit_head = ?').run(hash)
  lengthen(db, 2 * AUDIT_SLICE_ROWS + 10)
  expect(auditProblem(db)).toBeUndefined()
  await watch.sinceLast(signal)
  expect(board.list[0]?.message).toContain('is not the one that was checked before')
  writeFileSync(path, 'damaged')
  await watch.sinceLast(signal)
  expect(board.list).toEqual([])
})

test('a chain whose end was cut off is found', async () => {
  const { db } = await watched()
  db.exec('DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)')
  const copy = openReader(db.name)
  expect(auditProblem(copy)).toContain('the database states that it ends at')
  copy.close()
})
