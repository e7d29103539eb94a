/** Lists of 100,000 rows: little memory, the first line at once, and an end that a reader may leave at any time. */
import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'
import { systemClock } from '../../../shared/clock.ts'
import { type AuditHead, auditHash } from '../../../shared/database/audit-chain.ts'
import { Cluster, until } from '../../integration/cluster/harness.ts'
import { openStoppedLog } from '../../integration/cluster/stopped-log.ts'
import { commandLine, PROGRAM } from '../../integration/cli/command.ts'

const MANY = 100_000
const HEAP_MB = 64

type Database = ReturnType<typeof openStoppedLog>['db']

/** Adds mints before the present ones, revocations and audit records, in one transaction of a stopped primary. */
function addRows(folder: string): void {
  const log = openStoppedLog(folder)
  const fromMs = Date.now() - 2 * MANY
  const numbers = `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${MANY - 1})`
  const nonce = `unhex(printf('%012x70008000000000000000', ${fromMs} + i))`
  const kid = `(SELECT kid FROM root_keys WHERE org = 'acme')`
  log.db.exec(`BEGIN IMMEDIATE;
    INSERT INTO issued (kid, nonce, subject, expires_at) ${numbers} SELECT ${kid}, ${nonce}, 'alice', 0 FROM n;
    INSERT INTO revocations (seq, kind, org, key, at_ms, expires_at, actor, reason)
      ${numbers} SELECT i + 1, 'token', 'acme', CAST(${kid} || ${nonce} AS BLOB), ${fromMs} + i, 0, 'operator', '' FROM n;`)
  addAudit(log.db, fromMs)
  log.db.exec(`UPDATE meta SET txid = txid + 1, revocation_seq = ${MANY}; COMMIT`)
  log.connect(() => undefined)
  log.captureCommit(systemClock.wallMs())
  log.close()
}

function addAudit(db: Database, atMs: number): void {
  let head = db.prepare<[], AuditHead>('SELECT audit_seq AS seq, audit_head AS hash FROM meta').get()
  const insert = db.prepare('INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
  for (let i = 0; i < MANY && head !== undefined; i += 1) {
    const row = { seq: head.seq + 1, atMs, actor: 'x', action: 'token.mint', org: 'acme', target: '', detail: '{}' }
    const hash: Uint8Array = auditHash(head.hash, row)
    insert.run(...Object.values(row), hash)
    head = { seq: row.seq, hash }
  }
  db.prepare('UPDATE meta SET audit_seq = ?, audit_head = ?').run(head?.seq, head?.hash)
}

interface Read {
  readonly status: number | null
  readonly lines: number
  /** Milliseconds from the start of the process to its first line. */
  readonly firstMs: number
  readonly stderr: string
}

/** Runs a command with a small heap. With `linesMax` the reader leaves after so many. */
function read(args: readonly string[], profile: string, linesMax = Infinity): Promise<Read> {
  return new Promise((resolve) => {
    const startedMs = performance.now()
    const env = { ...process.env, MACAROOND_PROFILE: profile }
    const child = spawn(process.execPath, [`--max-old-space-size=${HEAP_MB}`, PROGRAM, ...args], { env })
    let [lines, firstMs, stderr] = [0, Infinity, '']
    child.stdout.on('data', (chunk: Buffer) => {
      firstMs = Math.min(firstMs, performance.now() - startedMs)
      lines += chunk.toString('latin1').split('\n').length - 1
      if (lines >= linesMax) child.stdout.destroy()
    })
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    child.once('close', (status) => resolve({ status, lines, firstMs, stderr }))
  })
}

test('every list of 100,000 rows has its first line at once, in little memory', { timeout: 300_000 }, async () => {
  const cluster = Cluster.create({ regions: [], primary: { alone: true } })
  await cluster.startPrimary()
  const profile = await cluster.profile()
  await commandLine(['org', 'create', 'acme'], { profile })
  await cluster.stopPrimary()
  addRows(cluster.primaryFolder)
  await cluster.startPrimary()
  await until(() => cluster.primary.writes === 'open', 'writes are open')
  const again = await cluster.profile()
  for (const args of [
    ['token', 'list', '--org', 'acme'],
    ['audit', 'list'],
    ['revocations', 'list'],
  ]) {
    const whole = await read(args, again)
    expect([args, whole.status, whole.lines >= MANY], whole.stderr).toEqual([args, 0, true])
    // The start of the process and the connection are not the list's: a list of one row has them too. A busy machine gets
    // three tries.
    const waits: number[] = []
    while (waits.length < 3 && !waits.some((ms) => ms < 1_000)) {
      const start = await read([...args, '--limit', '1'], again)
      const left = await read(args, again, 1)
      expect([args, left.status, left.stderr]).toEqual([args, 0, ''])
      waits.push(left.firstMs - start.firstMs)
    }
    expect(Math.min(...waits), args.join(' ')).toBeLessThan(1_000)
  }
})
