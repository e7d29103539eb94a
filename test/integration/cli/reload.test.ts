/** `macaroond reload` on the processes of a cluster, and SIGHUP beside it: both do the same, and both are audited. */
import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { AuditRecord } from '../../../shared/protocol/audit.ts'
import { commandLine, until } from './command.ts'
import { DevFolder } from './dev-folder.ts'

const here = DevFolder.forThisFile()

interface Answer {
  readonly nodes: readonly { readonly role: string; readonly region: string | null; readonly reloaded: unknown }[]
}

const NOTHING = { peers: { added: [], removed: [], changed: [] }, applied: [], restart: [] }
const AUDITED = { ...NOTHING, audited: true }

async function peer(name: string): Promise<string> {
  const made = await commandLine(['keygen', '--out', here.file(`${name}.key`), '--json'])
  return `\n[[peers]]\nid = "${made.json<{ peerId: string }>().peerId}"\nname = "${name}"\nrole = "worker"\n`
}

/** Changes a configuration until the test is over. */
async function changed<T>(file: string, change: (text: string) => string, use: () => Promise<T>): Promise<T> {
  const before = readFileSync(file, 'utf8')
  writeFileSync(file, change(before))
  try {
    return await use()
  } finally {
    writeFileSync(file, before)
  }
}

async function reloaded(more: readonly string[] = []): Promise<unknown> {
  const ran = await here.operator(['reload', ...more, '--json'])
  expect(ran.status, ran.stdout).toBe(0)
  return ran.json<Answer>().nodes[0]?.reloaded
}

async function audited(): Promise<readonly AuditRecord[]> {
  const ran = await here.operator(['audit', 'list', '--kind', 'configuration.reload', '--json'])
  return ran.json<{ records: readonly AuditRecord[] }>().records
}

test('the primary takes new peers at once, says what needs a restart, and audits who asked', async () => {
  const { config, pid } = here.dev.cluster.primary
  // The record is there when the answer comes.
  expect(await reloaded()).toEqual(AUDITED)
  expect((await audited()).length).toBe(1)
  const entry = await peer('api')
  const change = (text: string): string =>
    `${text.replace(/^\[\[peers\]\]/m, '[disk]\nreserve_mb = 3\n\n[[peers]]')}${entry}`
  await changed(config, change, async () => {
    const text = (await here.operator(['reload'])).stdout
    expect(text).toBe(
      'the primary reloaded its configuration\n  peer added: api (worker)\n  needs a restart: disk.reserve_mb\n',
    )
    expect(await reloaded()).toEqual({ ...AUDITED, restart: ['disk.reserve_mb'] })
  })
  process.kill(pid, 'SIGHUP')
  await until(() => /"by":"SIGHUP"/.test(readFileSync(here.file('primary.log'), 'utf8')))
  await expect.poll(async () => (await audited()).length, { timeout: 10_000 }).toBe(4)
  const records = await audited()
  const [first, second, , last] = records
  expect(first).toMatchObject({ actor: expect.stringMatching(/^operator 12D3/) })
  expect(second).toMatchObject({
    detail: { change: 'added api (worker); needs a restart: disk.reserve_mb' },
  })
  expect(last).toMatchObject({ actor: 'primary', detail: { signal: 'SIGHUP', change: 'removed api (worker)' } })
})

test('a replica takes peers and verify_open at once, and its log names who asked', async () => {
  const replica = here.dev.cluster.replicas.find(({ region }) => region === 'fra')
  if (replica === undefined) throw new Error('no replica in fra')
  const entry = await peer('api-fra')
  await changed(
    replica.config,
    (text) => `verify_open = true\n${text}${entry}`,
    async () => {
      expect(await reloaded(['--region', 'fra'])).toEqual({
        ...NOTHING,
        peers: { ...NOTHING.peers, added: ['api-fra (worker)'] },
        applied: ['verify_open'],
      })
    },
  )
  const { stdout } = await here.operator(['reload', '--region', 'fra'])
  expect(stdout).toMatch(/^the replica in fra \(\S+\) reloaded its configuration\n {2}peer removed: api-fra/)
  expect(readFileSync(here.file('replica-fra.log'), 'utf8')).toMatch(
    /"by":"12D3.*configuration reloaded: added api-fra/,
  )
})

test('a configuration that is wrong is refused, and the previous one stays in use', async () => {
  const { config } = here.dev.cluster.primary
  await changed(
    config,
    (text) => text.replace('listen', 'listne'),
    async () => {
      const ran = await here.operator(['reload', '--json'])
      expect([ran.status, ran.json()]).toEqual([2, { error: expect.objectContaining({ code: 'config_invalid' }) }])
    },
  )
  const { config: replica } = here.dev.cluster.replicas[0] ?? { config: '' }
  await changed(
    replica,
    () => 'nonsense = 1\n',
    async () => {
      const ran = await here.operator(['reload', '--region', 'fra', '--json'])
      expect([ran.status, ran.json()]).toEqual([
        2,
        { nodes: [expect.objectContaining({ error: expect.objectContaining({ code: 'config_invalid' }) as unknown })] },
      ])
    },
  )
  expect(await reloaded()).toEqual(AUDITED)
})

test('only an operator may ask, and one that removes itself is told so', async () => {
  const { config } = here.dev.cluster.primary
  for (const role of ['worker', 'signer'])
    expect((await commandLine(['reload'], { profile: here.file(`${role}.toml`) })).status).toBe(3)
  const renamed = (text: string): string => text.replace(/(name = "operator"\n)role = "operator"/, '$1role = "worker"')
  await changed(config, renamed, async () => {
    const { status, stdout } = await here.operator(['reload'])
    expect([status, stdout]).toEqual([0, 'the primary reloaded, and no longer lists this identity as an operator\n'])
    expect((await here.operator(['reload'])).status).toBe(3)
  })
  process.kill(here.dev.cluster.primary.pid, 'SIGHUP')
  await expect.poll(async () => (await here.operator(['reload'])).status, { timeout: 10_000 }).toBe(0)
})
