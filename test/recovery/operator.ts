/** An operator of a cluster of real processes in a folder of its own: runs the commands that a person would type. */
import { once } from 'node:events'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { stringify } from 'smol-toml'
import { expect, onTestFinished } from 'vitest'
import { createCluster } from '../../ops/cluster/create.ts'
import { openClusterFolder } from '../../ops/cluster/folder.ts'
import { systemEntropy } from '../../shared/clock.ts'
import type { PrimaryStatus, ReplicaStatus } from '../../shared/protocol/status.ts'
import { commandLine, PROGRAM, type Ran } from '../integration/cli/command.ts'
import { until } from '../integration/cluster/harness.ts'
import { shellLines } from '../acceptance/readme/blocks.ts'

const run = promisify(execFile)

/** A service of the machine: a node as a process. */
class Unit {
  readonly #role: string
  readonly #config: string
  readonly #folder: string
  #child: ChildProcess | undefined
  #ended: Promise<unknown> = Promise.resolve()
  log = ''

  constructor(folder: string, role: string, config: string) {
    this.#folder = folder
    this.#role = role
    this.#config = config
  }

  /** What it says first: that it is ready, or, once it has ended, why it did not start. */
  async tries(): Promise<string> {
    const args = [PROGRAM, this.#role, '--config', this.#config, '--json']
    const child = spawn(process.execPath, args, { cwd: this.#folder, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    this.log = ''
    child.stderr.on('data', (chunk: Buffer) => (this.log += chunk.toString()))
    const said = once(child.stdout, 'data').then(([chunk]) => String(chunk))
    this.#ended = once(child, 'close')
    const first = await Promise.race([said, this.#ended.then(() => `ended: ${this.log}`)])
    // One that does not start says why, and holds its folder until it is gone.
    if (!first.includes('"ready":true')) await this.#ended
    return first
  }

  async start(): Promise<void> {
    expect(await this.tries()).toContain('"ready":true')
  }

  /** Waits until it has ended by itself. */
  async ended(): Promise<void> {
    await this.#ended
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.#child?.kill(signal)
    await this.#ended
  }
}

export class Operator {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'macaroond-runbook-'))
  readonly profile: string = join(this.folder, 'operator.toml')
  /** Variables that lines before have set. */
  readonly #variables = new Map<string, string>()
  readonly units: Readonly<Record<'primary' | 'replica', Unit>> = {
    primary: new Unit(this.folder, 'primary', 'primary.toml'),
    replica: new Unit(this.folder, 'replica', 'replica-fra.toml'),
  }

  /** In its folder from now on, until the test ends. `config`: lines for the primary's configuration. */
  static async movedIn(config: string = ''): Promise<Operator> {
    const before = process.cwd()
    const operator = new Operator()
    process.chdir(operator.folder)
    onTestFinished(async () => {
      for (const unit of Object.values(operator.units)) await unit.stop('SIGKILL')
      process.chdir(before)
      rmSync(operator.folder, { recursive: true, force: true })
    })
    await operator.#moveIn(config)
    return operator
  }

  async #moveIn(config: string): Promise<void> {
    await createCluster({ path: this.folder, cluster: 'prod', regions: ['fra'], entropy: systemEntropy })
    appendFileSync(join(this.folder, 'primary.toml'), config)
    const { profile } = await openClusterFolder(this.folder)
    writeFileSync(this.profile, stringify({ ...profile }))
    for (const unit of Object.values(this.units)) await unit.start()
    await this.serving()
  }

  /** Gives a variable of the shell its value. */
  sets(name: string, value: string): void {
    this.#variables.set(name, value)
  }

  /** What the lines of a shell script said. */
  async types(script: string): Promise<string> {
    const lines = shellLines(script)
    expect(lines, script).not.toEqual([])
    let said = ''
    for (const { line } of lines) said += await this.#type(line)
    return said
  }

  /** Ours in this process, which saves its start; the services of the machine; everything else in a shell. */
  async #type(typedLine: string): Promise<string> {
    const line = typedLine.replaceAll(/\$(\w+)/g, (text, name: string) => this.#variables.get(name) ?? text)
    const [, variable] = /^(\w+)=/.exec(line) ?? []
    if (variable !== undefined) {
      const set = await run('bash', ['-c', `${line}; printf %s "$${variable}"`], { cwd: this.folder })
      this.#variables.set(variable, set.stdout)
      return ''
    }
    const [, action, name] = /^systemctl (start|stop) macaroond-(\w+)$/.exec(line) ?? []
    if (action !== undefined) {
      const unit = name === 'primary' ? this.units.primary : this.units.replica
      await (action === 'start' ? unit.start() : unit.stop())
      return ''
    }
    const [, carried] = /^scp -p (\S+) [\w.]+:\/etc\/macaroond\/\1$/.exec(line) ?? []
    if (carried !== undefined) {
      // All nodes of this cluster are in one folder, so the file is in its place already, as `scp -p` would leave it.
      expect(statSync(join(this.folder, carried)).mode & 0o777).toBe(0o600)
      return ''
    }
    const [, typed, file] = /^macaroond (.*?)(?: > (\S+))?$/.exec(line) ?? []
    if (typed === undefined) return (await run('bash', ['-c', line], { cwd: this.folder })).stdout
    const args = [...typed.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? '')
    const again = (): Promise<Ran> => commandLine(args, { profile: this.profile })
    let ran = await again()
    // The runbook has it repeated until the first line says that every region answers, which is exit status 0.
    if (typed === 'status') await until(async () => (ran = await again()).status === 0, 'status is 0', 30_000)
    const { status, stdout, stderr } = ran
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
        (primary.archive?.lag ?? 0) === 0
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

  /** Puts the authority's key into the profile, as a careful operator has it. */
  async keepKey(): Promise<void> {
    const { stdout } = await commandLine(['archive', 'key'], { profile: this.profile })
    writeFileSync(this.profile, `authority_key = "${stdout.trim()}"\n${readFileSync(this.profile, 'utf8')}`)
  }

  /** The primary dies, and these folders with it. */
  async lose(...folders: readonly string[]): Promise<void> {
    await this.units.primary.stop('SIGKILL')
    for (const folder of folders) rmSync(join(this.folder, folder), { recursive: true })
  }

  async epoch(): Promise<string | undefined> {
    return (await this.status()).primary?.position.split('.')[0]
  }
}
