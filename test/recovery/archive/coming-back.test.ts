/**
 * A disaster from its beginning to its end, with real processes: the primary's disk is gone, a database is restored to a
 * moment in the past, and the cluster goes on in a new epoch, with every revocation there ever was.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import type { PublishedNode } from '../../../ops/cluster/published.ts'
import { AUDIT_GENESIS, firstBrokenAuditRow, type AuditRow } from '../../../shared/database/audit-chain.ts'
import { parsePosition } from '../../../shared/position.ts'
import type { PrimaryStatus, ReplicaStatus } from '../../../shared/protocol/status.ts'
import { openReader } from '../../../shared/sqlite/open-database.ts'
import { commandLine, type Ran, startDev } from '../../integration/cli/command.ts'
import { until } from '../../integration/cluster/harness.ts'

interface Nodes {
  readonly nodes: readonly { readonly role: string; readonly status?: PrimaryStatus | ReplicaStatus }[]
}

interface Started {
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  readonly log: () => string
}

function start({ command }: Pick<PublishedNode, 'command'>): Started {
  const [program = '', ...args] = command
  const child = spawn(program, [...args, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] })
  let log = ''
  child.stdout.on('data', (data) => (log += String(data)))
  child.stderr.on('data', (data) => (log += String(data)))
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  onTestFinished(() => void child.kill('SIGKILL'))
  return { child, ended, log: () => log }
}

function auditOf(path: string): { readonly broken: AuditRow | undefined; readonly last: string | undefined } {
  const db = openReader(path)
  try {
    const sql = 'SELECT seq, at_ms AS atMs, actor, action, org, target, detail, hash FROM audit ORDER BY seq'
    const rows = db.prepare<[], AuditRow>(sql).all()
    const broken = firstBrokenAuditRow({ seq: 0, hash: AUDIT_GENESIS }, rows)
    return { broken, last: rows.at(-1)?.action }
  } finally {
    db.close()
  }
}

test('a lost primary comes back from its archive at an earlier time, with no revoked token', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-disaster-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const dev = await startDev(folder, ['--regions', 'fra'])
  onTestFinished(async () => {
    dev.process.kill('SIGTERM')
    await dev.ended
  })
  const profile = join(folder, 'operator.toml')
  const { primary, archive } = dev.cluster
  expect(archive).toBe(join(folder, 'primary-archive'))
  const call = (args: readonly string[], stdin = ''): Promise<Ran> =>
    commandLine([...args, '--json'], { profile, stdin })
  const good = async (args: readonly string[], stdin = ''): Promise<Record<string, unknown>> => {
    const ran = await call(args, stdin)
    expect(ran.status, `${args.join(' ')}: ${ran.stdout} ${ran.stderr}`).toBe(0)
    return ran.json()
  }
  const token = async (subject: string): Promise<string> =>
    String((await good(['token', 'mint', '--org', 'acme', '--subject', subject]))['token'])
  const verdict = async (text: string): Promise<unknown> =>
    (await call(['token', 'verify', '--org', 'acme'], text)).json()['reason'] ?? 'ok'
  const nodes = async (): Promise<Nodes['nodes']> => (await call(['status'])).json<Nodes>().nodes
  const primaryStatus = async (): Promise<PrimaryStatus | undefined> => (await nodes())[0]?.status as PrimaryStatus
  const archived = async (): Promise<boolean> => (await primaryStatus())?.archive?.lag === 0
  const replicaEpoch = async (): Promise<string | undefined> =>
    ((await nodes())[1]?.status as ReplicaStatus | undefined)?.position?.split('.')[0]
  const restore = (output: string, ...more: readonly string[]): readonly string[] => [
    'restore',
    '--archive',
    archive ?? '',
    '--output',
    output,
    ...more,
  ]

  await good(['org', 'create', 'acme'])
  const [revoked, kept] = [await token('mallory'), await token('alice')]
  await delay(1_100)
  const moment = new Date().toISOString()
  const { txid } = parsePosition((await primaryStatus())?.position ?? '')
  await delay(1_100)
  await good(['revoke', '--token', '-'], revoked)
  const later = await token('bob')
  await until(archived, 'everything is archived')

  // The disk is lost; an old copy of it turns up later.
  process.kill(primary.pid, 'SIGKILL')
  const [data, old] = [join(folder, 'primary'), join(folder, 'old')]
  cpSync(data, old, { recursive: true })
  rmSync(data, { recursive: true })
  const output = join(data, 'macaroond.db')
  expect((await call(restore(output, '--at', moment))).json()).toMatchObject({ error: { code: 'io_failed' } })
  const target = join(folder, 'restored.db')
  const plan = await good(restore(target, '--at', moment, '--dry-run'))
  const planned = { plan: { txid, grain: 'transaction' }, carried: { revocations: 1 }, unread: [] }
  expect(plan).toMatchObject({ file: null, ...planned })
  expect(existsSync(target)).toBe(false)
  const restored = await good(restore(target, '--at', moment, '--old-data', old))
  expect(restored).toMatchObject({ ...planned, begun: { epoch: 2 } })
  expect((restored['carried'] as { sources: object[] }).sources).toMatchObject([
    { from: 'the archive’s head', known: 1, carried: 1 },
    { from: 'old disk', known: 1, carried: 0 },
    { from: 'replica fra', known: 1, carried: 0 },
  ])
  expect(auditOf(target)).toEqual({ broken: undefined, last: 'database.restore' })
  expect((await call(restore(target, '--at', moment))).status).toBe(5)

  // The primary comes back on the restored file; the replica takes it from there.
  cpSync(target, output, { recursive: true })
  const back = start(primary)
  await until(async () => (await replicaEpoch()) === '2', 'the replica follows the new epoch', 20_000)
  await until(async () => (await primaryStatus())?.writes === 'open', 'writes are open')
  expect(await verdict(revoked)).toBe('revoked')
  expect(await verdict(kept)).toBe('ok')
  // Minted in the abandoned time with a key that is still there, and never revoked.
  expect(await verdict(later)).toBe('ok')
  const fresh = await token('carol')
  await until(async () => (await verdict(fresh)) === 'ok', 'a new token is good at the replica')
  await until(archived, 'the archive goes on')
  expect((await primaryStatus())?.archive).toMatchObject({ alerts: [] })

  // The old disk is started by mistake: it meets the higher epoch and stops.
  const stale = join(folder, 'stale.toml')
  const config = readFileSync(primary.config, 'utf8')
    .replace('data = "primary"', 'data = "old"')
    .replace(/listen = "127.0.0.1:\d+"/, 'listen = "127.0.0.1:0"')
  writeFileSync(stale, `${config}\n[archive]\nto = "primary-archive"\n`)
  const mistake = start({ command: primary.command.map((word) => (word === primary.config ? stale : word)) })
  expect(await mistake.ended).toBe(5)
  expect(mistake.log()).toContain('archive_fenced')

  // The old history is still there: a second restore, to before the first.
  const second = await good(restore(join(folder, 'second.db'), '--txid', '3'))
  expect(second).toMatchObject({ plan: { txid: 3 }, begun: { epoch: 3 }, unread: [] })
  expect((await call(['archive', 'verify', '--archive', archive ?? ''])).json()).toMatchObject({ ok: true, bad: [] })
  expect(readdirSync(folder).filter((name) => name.includes('restore-'))).toEqual([])
  back.child.kill('SIGTERM')
  expect(await back.ended).toBe(0)
}, 90_000)
