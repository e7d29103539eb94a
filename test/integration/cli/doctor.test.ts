/** `doctor` and `config check` on the files of a cluster of real processes, while it runs and after it has stopped. */
import { chmodSync, copyFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import { commandLine, type Ran } from './command.ts'
import { DevFolder } from './dev-folder.ts'

const here = DevFolder.forThisFile()
const NOTHING_LISTENS = '127.0.0.1:9'

interface Report {
  readonly findings: readonly {
    readonly severity: string
    readonly code: string
    readonly reason: string
    readonly why: string
  }[]
  readonly skipped?: readonly string[]
}

const doctor = (file: string, ...more: readonly string[]): Promise<Ran> =>
  commandLine(['doctor', '--config', file, '--json', ...more])

async function errorsOf(file: string, ...more: readonly string[]): Promise<readonly string[]> {
  const { findings } = (await doctor(file, ...more)).json<Report>()
  return findings.filter(({ severity }) => severity === 'error').map(({ code }) => code)
}

describe('while the cluster runs', () => {
  test('finds nothing wrong with any of its files, and says what it could not check', async () => {
    const { profiles } = here.dev.cluster
    const operator = ['--profile', here.profile]
    for (const name of ['primary.toml', 'replica-fra.toml', 'replica-sin.toml']) {
      const ran = await doctor(here.file(name), ...operator)
      expect([name, ran.status, ran.stdout]).toEqual([name, 0, expect.stringContaining('the addresses to listen on')])
    }
    const skipped: Record<string, readonly string[] | undefined> = {}
    for (const [role, profile] of Object.entries(profiles)) {
      const ran = await doctor(profile)
      expect([role, ran.status, ran.json<Report>().findings]).toEqual([role, 0, []])
      skipped[role] = ran.json<Report>().skipped
    }
    expect(skipped).toMatchObject({ operator: [], worker: [expect.stringContaining('clocks')] })
    const text = await commandLine(['doctor', '--config', here.profile])
    expect(text.stdout).toBe(`${here.profile}: nothing is wrong\n`)
  })

  test('names an address that nobody answers, and a pin that is another node’s', async () => {
    const [fra, sin] = here.dev.cluster.replicas
    const file = here.variant('astray.toml', 'operator.toml', (text) =>
      text.replace(here.dev.cluster.primary.address, NOTHING_LISTENS).replace(fra?.peerId ?? '', sin?.peerId ?? ''),
    )
    const ran = await doctor(file)
    expect(ran.status).toBe(4)
    expect(ran.json<Report>().findings).toMatchObject([
      {
        code: 'connect_failed',
        reason: expect.stringContaining(NOTHING_LISTENS),
        why: expect.stringContaining('no lease'),
      },
      { code: 'peer_mismatch', reason: expect.stringContaining(`the replica of fra at ${fra?.address}`) },
    ])
  })

  test('names a role that a node does not give', async () => {
    const file = here.variant('as-operator.toml', 'replica-fra.toml', (text) =>
      text.replace('replica-fra.key', 'operator.key'),
    )
    const ran = await doctor(file)
    expect(ran.status).toBe(3)
    expect(ran.stdout).toContain('lists this identity as operator, not as replica')
    const unknown = here.variant('unknown.toml', 'operator.toml', (text) => text.replace('operator.key', 'new.key'))
    expect((await commandLine(['keygen', '--out', here.file('new.key')])).status).toBe(0)
    expect(await errorsOf(unknown)).toEqual(['peer_refused', 'peer_refused', 'peer_refused'])
  })

  test('lists everything at once, and so does config check: faults of the file, keys, folders', async () => {
    copyFileSync(here.file('kek'), here.file('open-kek'))
    chmodSync(here.file('open-kek'), 0o644)
    writeFileSync(here.file('a-file'), '')
    const file = here.variant('all-wrong.toml', 'primary.toml', (text) =>
      text
        .replace('data = "primary"', 'data = "a-file"\nlistne = "x"\nalone = "yes"')
        .replace('primary.key', 'gone.key')
        .replace('"kek"', '"open-kek"'),
    )
    const all = ['config_invalid', 'config_invalid', 'key_unreadable', 'key_permissions', 'io_failed']
    expect(await errorsOf(file)).toEqual(expect.arrayContaining(all))
    const check = await commandLine(['config', 'check', file, '--json'])
    expect(check.status).toBe(2)
    expect(check.json<Report>().findings.map(({ code }) => code)).toEqual(expect.arrayContaining(all))
    const text = await commandLine(['config', 'check', file])
    expect(text.stderr).toMatch(/listne[\s\S]*did you mean/)
    expect(text.stderr.match(/^ {2}why: /gm)?.length).toBe(check.json<Report>().findings.length)
  })
})

describe('after the cluster has stopped', () => {
  test('compares the database with the key-encryption key and the cluster, and tries the addresses', async () => {
    here.dev.process.kill('SIGTERM')
    await here.dev.ended
    expect(await errorsOf(here.file('primary.toml'))).toEqual([])
    writeFileSync(here.file('other-kek'), 'ab'.repeat(32), { mode: 0o600 })
    const kek = here.variant('other-kek.toml', 'primary.toml', (text) => text.replace('"kek"', '"other-kek"'))
    expect(await errorsOf(kek)).toEqual(['kek_wrong'])
    const cluster = here.variant('other-cluster.toml', 'primary.toml', (text) =>
      text.replace(/cluster = "[^"]+"/, 'cluster = "another"'),
    )
    expect(await errorsOf(cluster)).toEqual(['wrong_cluster'])
    expect((await commandLine(['config', 'check', cluster])).status).toBe(5)
    const { address } = here.dev.cluster.primary
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(Number(address.split(':')[1]), '127.0.0.1', resolve))
    expect(await errorsOf(here.file('primary.toml'))).toEqual(['port_in_use'])
    taken.close()
  })
})
