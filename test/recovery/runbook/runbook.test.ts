/** The runbook, typed as it stands, on a cluster of real processes: each block in the trouble that it is for. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { stringify } from 'smol-toml'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createCluster } from '../../../ops/cluster/create.ts'
import { openClusterFolder } from '../../../ops/cluster/folder.ts'
import { systemEntropy } from '../../../shared/clock.ts'
import type { PrimaryStatus, ReplicaStatus } from '../../../shared/protocol/status.ts'
import { commandLine, PROGRAM } from '../../integration/cli/command.ts'
import { until } from '../../integration/cluster/harness.ts'
import { blocksOf, shellLines } from '../../integration/readme/blocks.ts'

const run = promisify(execFile)
const RUNBOOK = join(import.meta.dirname, '../../../ops/RUNBOOK.md')
const blocks = new Map(blocksOf(readFileSync(RUNBOOK, 'utf8')).map(({ name, code }) => [name, code]))

/** A service of the machine: a node as a process. */
class Unit {
  readonly #role: string
  readonly #config: string
  readonly #folder: string
  #child: ChildProcess | undefined

  constructor(folder: string, role: string, config: string) {
    this.#folder = folder
    this.#role = role
    this.#config = config
  }

  async start(): Promise<void> {
    const args = [PROGRAM, this.#role, '--config', this.#config, '--json']
    const child = spawn(process.execPath, args, { cwd: this.#folder, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    let log = ''
    child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()))
    const said = await new Promise<string>((resolve) => {
      child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString()))
      child.once('exit', (status) => resolve(`ended with ${status}: ${log}`))
    })
    expect(said).toContain('"ready":true')
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await ended
  }
}

class Operator {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'macaroond-runbook-'))
  readonly profile: string = join(this.folder, 'operator.toml')
  readonly units: Readonly<Record<string, Unit>> = {
    primary: new Unit(this.folder, 'primary', 'primary.toml'),
    replica: new Unit(this.folder, 'replica', 'replica-fra.toml'),
  }

  async moveIn(): Promise<void> {
    await createCluster({ path: this.folder, cluster: 'prod', regions: ['fra'], entropy: systemEntropy })
    const { profile } = await openClusterFolder(this.folder)
    writeFileSync(this.profile, stringify({ ...profile }))
    for (const unit of Object.values(this.units)) await unit.start()
    await this.serving()
  }

  /** What the lines of a block said. */
  async block(name: string): Promise<string> {
    const lines = shellLines(blocks.get(name) ?? '')
    expect(lines, name).not.toEqual([])
    let said = ''
    for (const { line } of lines) said += await this.#type(line)
    return said
  }

  /** Ours in this process, which saves its start; the services of the machine; everything else in a shell. */
  async #type(line: string): Promise<string> {
    const [, action, name = ''] = /^systemctl (start|stop) macaroond-(\w+)$/.exec(line) ?? []
    if (action !== undefined) {
      await (action === 'start' ? this.units[name]?.start() : this.units[name]?.stop())
      return ''
    }
    const [, typed, file] = /^macaroond (.*?)(?: > (\S+))?$/.exec(line) ?? []
    if (typed === undefined) return (await run('bash', ['-c', line], { cwd: this.folder })).stdout
    const args = [...typed.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? '')
    const { status, stdout, stderr } = await commandLine(args, { profile: this.profile })
    expect(status, `${line}\n${stdout}${stderr}`).toBe(0)
    if (file !== undefined) writeFileSync(join(this.folder, file), stdout)
    return stdout + stderr
  }

  async call(args: readonly string[], stdin = ''): Promise<Record<string, unknown>> {
    return (await commandLine([...args, '--json'], { profile: this.profile, stdin })).json()
  }

  async status(): Promise<{
    readonly primary: PrimaryStatus | undefined
    readonly replica: ReplicaStatus | undefined
  }> {
    const { nodes } = (await this.call(['status'])) as { nodes: { status?: PrimaryStatus | ReplicaStatus }[] }
    return { primary: nodes[0]?.status as PrimaryStatus, replica: nodes[1]?.status as ReplicaStatus }
  }

  /** Writes are open, the replica has everything, the archive too. */
  async serving(): Promise<void> {
    const served = async (): Promise<boolean> => {
      const { primary, replica } = await this.status()
      const caughtUp = primary?.position === replica?.position && (replica?.freshness.leaseMs ?? 0) > 0
      return (
        primary?.writes === 'open' &&
        primary.replicas.every(({ wal, revocations }) => wal && revocations) &&
        caughtUp &&
        primary.archive?.lag === 0
      )
    }
    await until(served, 'the cluster serves', 30_000)
  }

  async mint(subject: string): Promise<string> {
    return String((await this.call(['token', 'mint', '--org', 'acme', '--subject', subject]))['token'])
  }

  async verdict(token: string): Promise<unknown> {
    return (await this.call(['token', 'verify', '--org', 'acme'], token))['reason'] ?? 'ok'
  }

  /** The primary dies, and these folders with it. */
  async lose(...folders: readonly string[]): Promise<void> {
    await this.units['primary']?.stop('SIGKILL')
    for (const folder of folders) rmSync(join(this.folder, folder), { recursive: true })
  }

  async epoch(): Promise<string | undefined> {
    return (await this.status()).primary?.position.split('.')[0]
  }
}

describe('the runbook', () => {
  test('has no block that this suite does not run', () => {
    const names = [
      'prepare',
      'look',
      'rehearse',
      'moment',
      'pending',
      'lost-disk',
      'from-replica',
      'kek-nodes',
      'kek-rotate',
    ]
    expect([...blocks.keys()].toSorted()).toEqual(names.toSorted())
  })

  test('leads from each trouble back to service, with every revocation and every token', async () => {
    const before = process.cwd()
    const operator = new Operator()
    process.chdir(operator.folder)
    onTestFinished(async () => {
      for (const unit of Object.values(operator.units)) await unit.stop('SIGKILL')
      process.chdir(before)
      rmSync(operator.folder, { recursive: true, force: true })
    })
    await operator.moveIn()
    await operator.call(['org', 'create', 'acme'])
    const [kept, revoked] = [await operator.mint('alice'), await operator.mint('mallory')]
    await operator.serving()
    expect(await operator.block('prepare')).toMatch(/from transaction 0000000000000001 of .* to transaction /)
    expect(await operator.block('look')).toMatch(/all as they were archived[\s\S]*as it was committed, and a key opens/)
    expect(await operator.block('rehearse')).toMatch(/10 of 10 steps held/)

    await delay(5_500)
    await operator.call(['revoke', '--token', '-'], revoked)
    expect(await operator.block('moment')).toMatch(/revocations carried over: 1/)
    await operator.serving()
    expect([await operator.epoch(), await operator.verdict(kept), await operator.verdict(revoked)]).toEqual([
      '2',
      'ok',
      'revoked',
    ])

    expect(await operator.block('pending')).toMatch(/nothing waits for a decision[\s\S]*adopted 0; 0 wait still/)

    await operator.lose('primary')
    await operator.block('lost-disk')
    await operator.serving()
    expect([await operator.epoch(), await operator.verdict(kept), await operator.verdict(revoked)]).toEqual([
      '3',
      'ok',
      'revoked',
    ])

    await operator.lose('primary', 'primary-archive')
    await operator.block('from-replica')
    await operator.serving()
    expect([await operator.epoch(), await operator.verdict(kept), await operator.verdict(revoked)]).toEqual([
      '4',
      'ok',
      'revoked',
    ])

    await operator.block('kek-nodes')
    await operator.serving()
    expect(await operator.block('kek-rotate')).toMatch(/sealed again with key-encryption key [0-9a-f]{8}: 2/)
    await operator.serving()
    expect([await operator.verdict(kept), await operator.verdict(revoked)]).toEqual(['ok', 'revoked'])
    expect(await operator.block('look')).toMatch(/as it was committed, and a key opens/)
  }, 240_000)
})
