/** The runbook, typed as it stands, on a cluster of real processes: each block in the trouble that it is for. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { stringify } from 'smol-toml'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createCluster } from '../../../ops/cluster/create.ts'
import { openClusterFolder } from '../../../ops/cluster/folder.ts'
import { systemEntropy } from '../../../shared/clock.ts'
import type { PrimaryStatus, ReplicaStatus } from '../../../shared/protocol/status.ts'
import { commandLine, PROGRAM } from '../cli/command.ts'
import { until } from '../cluster/harness.ts'
import { blocksOf, shellLines } from '../readme/blocks.ts'

const RUNBOOK = join(import.meta.dirname, '../../../ops/RUNBOOK.md')
const blocks = new Map(blocksOf(readFileSync(RUNBOOK, 'utf8')).map(({ name, code }) => [name, code]))

/** What the machine of an operator has: the program by its name, and services that start, and stop in order. */
const MACHINE = `
node=${process.execPath}
macaroond() { "$node" ${PROGRAM} "$@"; }
systemctl() {
  case $2 in macaroond-primary) role=primary config=primary;; *) role=replica config=replica-fra;; esac
  if [ "$1" = start ]; then
    "$node" ${PROGRAM} $role --config $config.toml --json > $config.out 2>> $config.log &
    echo $! > $config.pid; disown
    for try in $(seq 300); do grep -q '"ready":true' $config.out && return 0; sleep 0.1; done
    cat $config.out $config.log; return 1
  fi
  kill "-\${SIGNAL:-TERM}" "$(cat $config.pid)"; while kill -0 "$(cat $config.pid)" 2>&-; do sleep 0.02; done
}
`

class Operator {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'macaroond-runbook-'))
  readonly profile: string = join(this.folder, 'operator.toml')

  async moveIn(): Promise<void> {
    await createCluster({ path: this.folder, cluster: 'prod', regions: ['fra'], entropy: systemEntropy })
    const { profile } = await openClusterFolder(this.folder)
    writeFileSync(this.profile, stringify({ ...profile }))
    await this.type('systemctl start macaroond-primary; systemctl start macaroond-replica')
    await this.serving()
  }

  /** Types lines into a shell; what they said, once all of them have ended with 0. */
  async type(script: string): Promise<string> {
    const env = { ...process.env, MACAROOND_PROFILE: this.profile }
    const child = spawn('bash', ['-c', `${MACHINE}\n${script}`], {
      cwd: this.folder,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
    const status = await new Promise((resolve) => child.once('exit', resolve))
    expect(status, `${script}\n${said}`).toBe(0)
    return said
  }

  /** The block of that name, each line of it. */
  block(name: string): Promise<string> {
    const lines = shellLines(blocks.get(name) ?? '')
    expect(lines, name).not.toEqual([])
    return this.type(`set -e\n${lines.map(({ line }) => line).join('\n')}`)
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
      return primary?.writes === 'open' && primary.position === replica?.position && primary.archive?.lag === 0
    }
    await until(served, 'the cluster serves', 30_000)
  }

  async mint(subject: string): Promise<string> {
    return String((await this.call(['token', 'mint', '--org', 'acme', '--subject', subject]))['token'])
  }

  async verdict(token: string): Promise<unknown> {
    return (await this.call(['token', 'verify', '--org', 'acme'], token))['reason'] ?? 'ok'
  }

  async epoch(): Promise<string | undefined> {
    return (await this.status()).primary?.position.split('.')[0]
  }
}

describe('the runbook', () => {
  test('has no block that this suite does not run', () => {
    const names = ['prepare', 'look', 'rehearse', 'moment', 'lost-disk', 'from-replica']
    expect([...blocks.keys()].toSorted()).toEqual(names.toSorted())
  })

  test('leads from each trouble back to service, with every revocation and every token', async () => {
    const operator = new Operator()
    onTestFinished(async () => {
      await operator.type('for pid in *.pid; do kill -KILL $(cat $pid) 2>&-; done; true')
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

    await operator.type('SIGNAL=KILL systemctl stop macaroond-primary; rm -rf primary')
    await operator.block('lost-disk')
    await operator.serving()
    expect([await operator.epoch(), await operator.verdict(kept), await operator.verdict(revoked)]).toEqual([
      '3',
      'ok',
      'revoked',
    ])

    await operator.type('SIGNAL=KILL systemctl stop macaroond-primary; rm -rf primary primary-archive')
    await operator.block('from-replica')
    await operator.serving()
    expect([await operator.epoch(), await operator.verdict(kept), await operator.verdict(revoked)]).toEqual([
      '4',
      'ok',
      'revoked',
    ])
  }, 120_000)
})
