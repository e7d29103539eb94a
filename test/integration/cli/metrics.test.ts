import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { MetricsServer } from '../../../shared/metrics/metrics-server.ts'
import { silentLog } from '../../../shared/log.ts'
import { commandLine, macaroond, PROGRAM } from './command.ts'

type Said = Readonly<Record<string, unknown>>

/** A node's process: what it said on stdout and stderr, line by line. */
class Node {
  readonly #lines: Said[] = []
  readonly ended: Promise<number | null>
  readonly stop: () => void

  constructor(role: 'primary' | 'replica', config: string) {
    const child = spawn(process.execPath, [PROGRAM, role, '--config', config])
    this.ended = new Promise((resolve) => child.once('exit', resolve))
    this.stop = () => void child.kill('SIGTERM')
    onTestFinished(async () => {
      child.kill('SIGKILL')
      await this.ended
    })
    for (const stream of [child.stdout, child.stderr]) {
      let rest = ''
      stream.on('data', (chunk: Buffer) => {
        const lines = (rest + chunk.toString()).split('\n')
        rest = lines.pop() ?? ''
        this.#lines.push(...lines.map((line) => JSON.parse(line) as Said))
      })
    }
  }

  async said(what: (line: Said) => boolean): Promise<Said> {
    for (;;) {
      const line = this.#lines.find(what)
      if (line !== undefined) return line
      await delay(20)
    }
  }

  async metrics(): Promise<string> {
    const { address } = await this.said(({ msg }) => msg === 'metrics are at /metrics')
    return (await fetch(`http://${String(address)}/metrics`)).text()
  }
}

class Folder {
  readonly #path = mkdtempSync(join(tmpdir(), 'macaroond-metrics-'))

  constructor() {
    onTestFinished(() => rmSync(this.#path, { recursive: true, force: true }))
    writeFileSync(join(this.#path, 'kek'), 'ab'.repeat(32), { mode: 0o600 })
  }

  async identity(name: string): Promise<string> {
    const made = await commandLine(['keygen', '--out', join(this.#path, name), '--json'])
    return String(made.json()['peerId'])
  }

  config(name: string, lines: readonly string[]): string {
    const file = join(this.#path, `${name}.toml`)
    const common = ['cluster = "test"', `data = "${name}"`, `identity = "${name}.key"`, 'listen = "127.0.0.1:0"']
    writeFileSync(file, [...common, ...lines, '[kek]', 'file = "kek"'].join('\n'))
    return file
  }
}

const METRICS = ['[metrics]', 'listen = "127.0.0.1:0"']

test('a primary and a replica export the bound, the lease and each other as metrics', async () => {
  const folder = new Folder()
  const [primaryId, replicaId] = [await folder.identity('primary.key'), await folder.identity('fra.key')]
  const peers = ['[[peers]]', `id = "${replicaId}"`, 'name = "fra-1"', 'role = "replica"', 'region = "fra"']
  const primary = new Node('primary', folder.config('primary', [...METRICS, ...peers]))
  const { address } = await primary.said(({ ready }) => ready === true)
  const dialled = [
    'region = "fra"',
    ...METRICS,
    '[primary]',
    `address = "${String(address)}"`,
    `peer_id = "${primaryId}"`,
  ]
  const replica = new Node('replica', folder.config('fra', dialled))

  while (!(await replica.metrics()).includes('macaroond_lease_remaining_seconds 4.')) await delay(50)
  const [ofReplica, ofPrimary] = [await replica.metrics(), await primary.metrics()]
  for (const text of [ofPrimary, ofReplica]) {
    expect(text).toContain('\nmacaroond_revocation_bound_seconds 5.101\n')
    expect(text).toContain('\nmacaroond_clock_credible 1\n')
  }
  expect(ofPrimary).toContain('\nmacaroond_writes{state="open"} 1\n')
  expect(ofPrimary).toContain('\nmacaroond_replica_connected{replica="fra-1",region="fra"} 1\n')
  expect(ofPrimary).toContain('\nmacaroond_durability{state="replica"} 1\n')
  expect(ofPrimary).toMatch(/^macaroond_archive_lag_transactions\{archive="[^"]+"\} \d+$/m)
  expect(ofReplica).toContain('\nmacaroond_primary_connected{channel="revocations"} 1\n')
  expect(ofReplica).toContain('\nmacaroond_alarm{code="primary_refused",severity="critical"} 0\n')

  for (const node of [replica, primary]) node.stop()
  expect(await Promise.all([replica.ended, primary.ended])).toEqual([0, 0])
})

test('a node whose metrics have no port says so and does not start', async () => {
  const folder = new Folder()
  await folder.identity('primary.key')
  const taken = await MetricsServer.open({ address: '127.0.0.1:0', collect: () => [], log: silentLog })
  onTestFinished(() => taken.close())
  const lines = ['alone = true', '[metrics]', `listen = "${taken.address}"`]
  const ran = await macaroond(['primary', '--config', folder.config('primary', lines), '--json'])
  expect([ran.status, ran.json()]).toMatchObject([
    1,
    { error: { code: 'port_in_use', hint: 'give `listen` under [metrics] another port' } },
  ])
})
