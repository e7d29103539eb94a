/** A production cluster from `macaroond init`: nodes started from their folders, callers with the profiles they were given. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemEntropy } from '../../../shared/clock.ts'
import { freePorts } from '../../../ops/cluster/ports.ts'
import { commandLine, PROGRAM } from './command.ts'

const folder = mkdtempSync(join(tmpdir(), 'macaroond-init-'))
const made = join(folder, 'made')
/** Every machine has its own folder, as if it had been copied there. */
const machines = join(folder, 'machines')
const nodes: ChildProcess[] = []
const profile = (name: string): string => join(made, name)

beforeAll(async () => {
  const [primary, fra, sin] = await freePorts(3, systemEntropy)
  const ran = await commandLine([
    'init',
    `--dir=${made}`,
    '--cluster=prod',
    `--primary=127.0.0.2:${primary}`,
    `--region=fra=127.0.0.3:${fra}`,
    `--region=sin=127.0.0.4:${sin}`,
    '--worker=api',
    '--signer=login=acme',
  ])
  expect(ran.stderr).toBe('')
  expect(ran.status).toBe(0)
  expect(ran.stdout).toMatch(/^The archive lies beside the primary’s data and does not survive its disk; /m)
  mkdirSync(machines)
  for (const node of ['primary', 'fra', 'sin']) renameSync(join(made, node), join(machines, node))
  await start('primary', 'primary')
  await Promise.all([start('replica', 'fra'), start('replica', 'sin')])
}, 60_000)

afterAll(async () => {
  await Promise.all(
    nodes.map(async (node) => {
      const gone = new Promise((resolve) => node.once('exit', resolve))
      node.kill('SIGTERM')
      await gone
    }),
  )
  rmSync(folder, { recursive: true, force: true })
})

async function start(role: 'primary' | 'replica', name: string): Promise<void> {
  const cwd = join(machines, name)
  const node = spawn(process.execPath, [PROGRAM, role, '--config', `${role}.toml`], {
    cwd,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  nodes.push(node)
  let said = ''
  node.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  await new Promise<void>((resolve, reject) => {
    node.stdout.once('data', () => resolve())
    node.once('exit', (status) => reject(new Error(`${name} ended with ${status}: ${said}`)))
  })
}

async function freshIn(region: string, token: string): Promise<string> {
  for (let tries = 0; ; tries += 1) {
    const args = ['token', 'verify', '--org', 'acme', '--region', region, '--json']
    const ran = await commandLine(args, { stdin: token, profile: profile('workers/api/worker.toml') })
    const { reason = 'accepted' } = ran.json<{ reason?: string }>()
    if (reason !== 'unavailable' || tries > 100) return reason
  }
}

describe('a cluster that init made', () => {
  test('issues with the signer’s profile, verifies with the worker’s, revokes with the operator’s', async () => {
    const operator = profile('operator/operator.toml')
    expect(await commandLine(['org', 'create', 'acme'], { profile: operator })).toMatchObject({ status: 0 })
    const mint = ['token', 'mint', '--org', 'acme', '--subject', 'alice']
    const minted = await commandLine(mint, { profile: profile('signers/login/signer.toml') })
    expect(minted).toMatchObject({ status: 0 })
    expect(await Promise.all(['fra', 'sin'].map((region) => freshIn(region, minted.stdout)))).toEqual([
      'accepted',
      'accepted',
    ])
    const revoked = await commandLine(['revoke', '--token', '-', '--wait', 'global'], {
      stdin: minted.stdout,
      profile: operator,
    })
    expect(revoked.status).toBe(0)
    expect(await freshIn('fra', minted.stdout)).toBe('revoked')
  })

  test('lets a signer create an org of its own, which is there already', async () => {
    const ran = await commandLine(['org', 'create', 'acme'], { profile: profile('signers/login/signer.toml') })
    expect([ran.status, ran.stderr]).toEqual([5, expect.stringContaining('org_exists')])
  })

  test('has the authority’s key in its profiles from the first minute', async () => {
    const operator = profile('operator/operator.toml')
    const shown = await commandLine(['archive', 'key', '--json'], { profile: operator })
    const { key } = shown.json<{ key: string }>()
    expect(readFileSync(operator, 'utf8')).toContain(`authority_key = "${key}"`)
  })

  test.each([
    ['a worker may not mint', 'workers/api/worker.toml', ['token', 'mint', '--org', 'acme', '--subject', 'x']],
    ['a worker may not revoke', 'workers/api/worker.toml', ['revoke', '--org', 'acme', '--subject', 'x']],
    ['a signer may not create an org that is not its own', 'signers/login/signer.toml', ['org', 'create', 'other']],
    [
      'a signer may not mint for an org that is not its own',
      'signers/login/signer.toml',
      ['token', 'mint', '--org', 'globex', '--subject', 'x'],
    ],
  ])('%s', async (_, name, args) => {
    const ran = await commandLine(args, { profile: profile(name) })
    expect(ran.status).toBe(3)
    expect(ran.stderr).toMatch(/peer_refused|permission_denied/)
  })

  test('keeps every secret from others, and every private key in the one folder that needs it', () => {
    const files = [made, machines].flatMap((root) =>
      readdirSync(root, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name)),
    )
    const secrets = files.filter((file) => /\.key$|\/kek$/.test(file))
    expect(secrets.map((file) => statSync(file).mode & 0o777).every((mode) => mode === 0o600)).toBe(true)
    const keys = secrets.filter((file) => file.endsWith('.key')).map((file) => readFileSync(file, 'utf8'))
    expect(new Set(keys).size).toBe(keys.length)
    expect(
      secrets
        .filter((file) => file.startsWith(made))
        .map((file) => file.slice(made.length + 1))
        .toSorted(),
    ).toEqual(['operator/operator.key', 'signers/login/signer.key', 'workers/api/worker.key'])
  })

  test('takes a new worker once its block is in the replica’s configuration, and not before', async () => {
    const added = await commandLine(['peers', 'add', '--dir', made, '--role', 'worker', '--name', 'batch', '--json'])
    expect(added.status).toBe(0)
    const { blocks, folder: where } = added.json<{ folder: string; blocks: { files: string[]; block: string }[] }>()
    expect(blocks.map(({ files }) => files)).toEqual([['fra/replica.toml', 'sin/replica.toml']])
    expect(blocks[0]?.block).toContain('role = "worker"')
    const verify = ['token', 'verify', '--org', 'acme', '--region', 'fra', '--json']
    const ran = await commandLine(verify, { stdin: 'x', profile: join(made, where, 'worker.toml') })
    expect(ran.status).not.toBe(0)
  })
})

test.each([
  ['a folder with something in it', [], 'init overwrites nothing'],
  ['a region without an address', ['--region', 'fra'], 'has no NAME=VALUE'],
  ['a region called like a folder of init', ['--region', 'primary=h:1'], 'no region may be called'],
  ['an address that names no machine', ['--region', 'fra=0.0.0.0:7100'], 'names no machine'],
  ['port 0', ['--region', 'fra=h:0'], 'port 0'],
  ['two regions of one name', ['--region', 'fra=h:1', '--region', 'fra=h:2'], 'named twice'],
  ['a signer with an org that is none', ['--signer', 'login=A b'], 'an org name'],
])('init refuses %s, and writes nothing', async (what, more, message) => {
  const dir = what.startsWith('a folder') ? made : join(folder, 'never')
  const ran = await commandLine(['init', '--dir', dir, '--cluster', 'c', '--primary', 'p:7100', ...more])
  expect(ran.status).toBe(2)
  expect(ran.stderr).toContain(message)
  expect(readdirSync(folder)).not.toContain('never')
})

test('kek generate overwrites no key', async () => {
  const file = join(folder, 'kek.new')
  const first = await commandLine(['kek', 'generate', '--out', file, '--json'])
  expect(first.json()).toMatchObject({ kek: expect.stringMatching(/^[0-9a-f]{8}$/), file })
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const before = readFileSync(file, 'utf8')
  expect(before).toMatch(/^[0-9a-f]{64}\n$/)
  expect(await commandLine(['kek', 'generate', '--out', file])).toMatchObject({ status: 5 })
  expect(readFileSync(file, 'utf8')).toBe(before)
})
