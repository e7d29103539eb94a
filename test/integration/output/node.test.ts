/** A real primary whose log goes nowhere, and commands whose answer goes nowhere. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  closeSync,
  constants,
  createWriteStream,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { PrimaryStatus } from '../../../shared/protocol/status.ts'
import { run } from '../../../ops/command-line.ts'
import { capture } from '../../ops/streams.ts'
import { commandLine, PROGRAM } from '../cli/command.ts'

const folder = mkdtempSync(join(tmpdir(), 'macaroond-rim-'))
const profile = join(folder, 'operator.toml')
const config = join(folder, 'primary.toml')
const fifo = join(folder, 'fifo')
let primary: ChildProcess
let reader = 0

async function started(stderr: number): Promise<ChildProcess> {
  const child = spawn(process.execPath, [PROGRAM, 'primary', '--config', config], { stdio: ['ignore', 'pipe', stderr] })
  closeSync(stderr)
  for await (const line of createInterface({ input: child.stdout as Readable })) {
    const { address, peerId } = JSON.parse(line) as { address: string; peerId: string }
    const primaryOf = ['[primary]', `address = "${address}"`, `peer_id = "${peerId}"`]
    writeFileSync(profile, ['cluster = "test"', 'identity = "operator.key"', ...primaryOf].join('\n'))
    break
  }
  child.stdout?.resume()
  return child
}

async function stopped(child: ChildProcess): Promise<number | null> {
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  return ended
}

async function status(): Promise<PrimaryStatus> {
  const ran = await commandLine(['status', '--json'], { profile })
  return ran.json<{ nodes: readonly [{ status: PrimaryStatus }] }>().nodes[0].status
}

/** Until nothing more goes into it. */
function fill(pipe: number): void {
  try {
    for (;;) writeSync(pipe, 'x'.repeat(4_096))
  } catch {
    // It is full.
  }
}

beforeAll(async () => {
  writeFileSync(join(folder, 'kek'), 'ab'.repeat(32), { mode: 0o600 })
  await commandLine(['keygen', '--out', join(folder, 'primary.key')])
  const { stdout } = await commandLine(['keygen', '--out', join(folder, 'operator.key')])
  const peers = ['[[peers]]', `id = "${stdout.trim()}"`, 'name = "operator"', 'role = "operator"']
  const own = ['cluster = "test"', 'data = "primary"', 'identity = "primary.key"', 'listen = "127.0.0.1:0"']
  writeFileSync(config, [...own, 'alone = true', ...peers, '[kek]', 'file = "kek"'].join('\n'))
  execFileSync('mkfifo', [fifo])
  reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK)
  const writer = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK)
  fill(writer)
  primary = await started(writer)
})

afterAll(() => {
  primary.kill('SIGKILL')
  closeSync(reader)
  rmSync(folder, { recursive: true, force: true })
})

test('with a log that nobody reads a primary mints, raises the alarm, and stops in order', async () => {
  expect((await commandLine(['org', 'create', 'acme'], { profile })).status).toBe(0)
  for (let told = await status(); !told.alarms.some(({ code }) => code === 'log_blocked');) told = await status()
  const minted = await commandLine(['token', 'mint', '--org', 'acme', '--subject', 'alice', '--json'], { profile })
  expect(minted.status).toBe(0)
  expect(await stopped(primary)).toBe(0)
})

test('on a full device a primary starts and answers', async () => {
  primary = await started(openSync('/dev/full', 'w'))
  expect((await commandLine(['org', 'list'], { profile })).stdout).toContain('acme')
})

/** Runs a command with its standard output on a full device. */
function intoFullDevice(args: readonly string[]): { readonly status: number; readonly stderr: string } {
  const errors = join(folder, 'errors')
  const shell = ['-c', `exec "$0" "$@" > /dev/full 2> ${errors}`, process.execPath, PROGRAM, ...args]
  let exit = 0
  try {
    execFileSync('sh', shell, { env: { ...process.env, MACAROOND_PROFILE: profile }, stdio: 'ignore' })
  } catch (error) {
    exit = (error as { status: number }).status
  }
  return { status: exit, stderr: readFileSync(errors, 'utf8') }
}

test('a mint whose answer cannot be written says in one line what was done, and what to type', async () => {
  const args = ['token', 'mint', '--org', 'acme', '--subject', 'bob']
  const plain = intoFullDevice(args)
  const said = plain.stderr.split('\n').find((line) => line.startsWith('macaroond: '))
  expect(plain.status).toBe(1)
  expect(said).toMatch(/^macaroond: minted (\S+) for bob of acme, .*ENOSPC.*\(answer_unwritten\); .*revoke --id \1/)
  expect(plain.stderr).not.toContain('mcn1_')
  const json = intoFullDevice([...args, '--json'])
  const { error } = JSON.parse(json.stderr) as { error: { code: string; message: string; hint: string } }
  expect([json.status, error.code]).toEqual([1, 'answer_unwritten'])
  const id = /minted (\S+) for/.exec(error.message)?.[1] ?? ''
  expect(error.hint).toContain(`macaroond revoke --id ${id}`)
  expect((await commandLine(['revoke', '--id', id], { profile })).status).toBe(0)
})

test('every other command that cannot write its answer ends with status 1 and a code', async () => {
  const commands = [
    ['org', 'create', 'globex'],
    ['org', 'rotate-key', 'globex'],
    ['org', 'retire-key', 'globex'],
    ['org', 'disable', 'globex'],
    ['revoke', '--org', 'acme', '--subject', 'bob'],
    ['third-party', 'add', 'store'],
    ['third-party', 'remove', 'store'],
    ['archive', 'snapshot'],
    ['keygen', '--out', join(folder, 'another.key')],
    ['status'],
    ['org', 'list', '--json'],
  ]
  const ended = async (command: readonly string[]): Promise<readonly [number, string]> => {
    const streams = capture({ env: { ...process.env, MACAROOND_PROFILE: profile } })
    const exit = await run(command, { ...streams, stdout: createWriteStream('/dev/full') })
    return [exit, streams.err()]
  }
  for (const command of commands) {
    expect([command, ...(await ended(command))]).toEqual([command, 1, expect.stringContaining('answer_unwritten')])
  }
  // What fails by itself keeps its own status.
  expect(await ended(['kek', 'rotate'])).toEqual([5, expect.stringMatching(/kek_unchanged[^]*answer_unwritten/)])
  expect((await commandLine(['org', 'list'], { profile })).stdout).toMatch(/globex +disabled/)
})
