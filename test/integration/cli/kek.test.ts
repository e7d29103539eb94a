import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { kekFromHex } from '../../../shared/sealing.ts'
import { Cluster, KEK, until } from '../cluster/harness.ts'
import { commandLine, macaroond } from './command.ts'

const NEW = kekFromHex('cd'.repeat(32))
const REGIONS = ['fra', 'sin'] as const

type Json = Record<string, unknown>

async function run(cluster: Cluster, args: readonly string[], stdin: string = ''): Promise<[number, Json]> {
  const profile = await cluster.profile()
  const ran = await commandLine([...args, '--json'], { profile, stdin })
  return [ran.status, ran.json()]
}

async function restartReplica(cluster: Cluster, region: 'fra' | 'sin'): Promise<void> {
  await cluster.stopReplica(region)
  await cluster.startReplica(region)
  await cluster.caughtUp(region)
}

test('a key in place of its file, variable or command is printed by no command and no start', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-shown-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const [key, seed] = ['ab'.repeat(32), 'Cd'.repeat(21) + 'e']
  const identity = `macaroond-identity-1 12D3KooWHrVGrEBfNiZHu6M4H5rEDwssWPXUM1noFSRoRiPLJKf1 ${seed}`
  await commandLine(['keygen', '--out', join(folder, 'node.key')])
  const places = [`file = "${key}"`, `env = "${key}"`, `command = ["${key}"]`]
  const variants = [...places.map((kek) => ['node.key', kek]), [identity, 'file = "kek"']]
  for (const [index, [named, kek]] of variants.entries()) {
    const file = join(folder, `${index}.toml`)
    const lines = ['cluster = "test"', 'data = "data"', `identity = "${named}"`, 'listen = "127.0.0.1:0"', '[kek]', kek]
    writeFileSync(file, lines.join('\n'))
    const others = [
      ['config', 'check', file],
      ['config', 'print', file],
      ['doctor', '--config', file],
    ]
    const all = [await macaroond(['primary', '--config', file])]
    for (const args of others) all.push(await commandLine(args), await commandLine([...args, '--json']))
    for (const { stdout, stderr } of all) {
      expect(stdout + stderr).not.toContain(key)
      expect(stdout + stderr).not.toContain(seed)
    }
    expect(all[0]?.stderr).toContain('(not shown: it looks like a key)')
  }
})

test('a rotation of the key-encryption key refuses no token, and the old key opens nothing after', async () => {
  const cluster = await Cluster.start({ regions: REGIONS })
  await run(cluster, ['org', 'create', 'acme'])
  const [, minted] = await run(cluster, ['token', 'mint', '--org', 'acme', '--subject', 'alice'])
  const good = async (region: string): Promise<void> => {
    const args = ['token', 'verify', '--org', 'acme', '--access', 'op=read', '--region', region]
    expect(await run(cluster, args, String(minted['token']))).toMatchObject([0, { ok: true }])
  }
  const [unchanged, { error: nothingNewer }] = await run(cluster, ['kek', 'rotate'])
  expect([unchanged, nothingNewer]).toMatchObject([
    5,
    {
      code: 'kek_unchanged',
      message: expect.stringContaining(`${KEK.id} already, and the primary was started with no newer key`),
      hint: expect.stringContaining('[[kek.previous]]'),
    },
  ])

  cluster.keks = { kek: NEW, previousKeks: [KEK] }
  await restartReplica(cluster, 'fra')
  await cluster.stopPrimary()
  await cluster.startPrimary()
  await cluster.caughtUp('fra')
  // One replica could not open what is sealed with the new one: it would stop.
  const [status, { error }] = await run(cluster, ['kek', 'rotate'])
  expect([status, error]).toMatchObject([1, { code: 'kek_missing', message: expect.stringMatching(/: sin$/) }])
  await restartReplica(cluster, 'sin')
  for (const region of REGIONS) await good(region)

  expect(await run(cluster, ['kek', 'rotate'])).toMatchObject([0, { kek: NEW.id, resealed: 2 }])
  for (const region of REGIONS) await cluster.caughtUp(region)
  for (const region of REGIONS) await good(region)

  // Nothing needs the old one any more.
  cluster.keks = { kek: NEW }
  await cluster.stopPrimary()
  await cluster.startPrimary()
  for (const region of REGIONS) await restartReplica(cluster, region)
  for (const region of REGIONS) await good(region)
  await run(cluster, ['org', 'create', 'globex'])
  cluster.keks = { kek: KEK }
  await cluster.stopReplica('sin')
  await expect(cluster.startReplica('sin')).rejects.toMatchObject({ code: 'kek_wrong' })
})

test('a primary seals nothing with a new key-encryption key that a replica cannot open', async () => {
  const cluster = await Cluster.start({ regions: ['fra'] })
  cluster.keks = { kek: NEW, previousKeks: [KEK] }
  await cluster.stopPrimary()
  await cluster.startPrimary()
  await until(() => cluster.primary.writes === 'open', 'writes are open')
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  await signer.rotateKey('acme')
  await signer.addThirdParty({ name: 'store' })
  const minted = await signer.mint({ org: 'acme', subject: 'alice' })
  const verdictOf = async ({ token, position }: { token: string; position: string }): Promise<unknown> => {
    // A replica that was started again has another address.
    const verifier = await cluster.verifier()
    const verdict = await verifier.verify(token, { org: 'acme' }, { minPosition: position })
    return verdict.ok ? 'ok' : verdict.reason
  }
  expect(await verdictOf(minted)).toBe('ok')
  const alarms = (): string[] => cluster.replica().status.alarms.map(({ code }) => code)
  expect(alarms()).toEqual([])

  await signer.rotateKek({ force: true })
  const later = await signer.mint({ org: 'acme', subject: 'alice' })
  expect([await verdictOf(minted), await verdictOf(later), alarms()]).toEqual(['ok', 'ok', ['keys_stale']])
  await signer.rotateKey('acme')
  const unopened = await signer.mint({ org: 'acme', subject: 'alice' })
  expect([await verdictOf(minted), await verdictOf(unopened)]).toEqual(['ok', 'unavailable'])
  expect(alarms()).toEqual(['keys_unopened', 'keys_stale'])
  cluster.keks = { kek: NEW }
  await cluster.stopReplica()
  await cluster.startReplica()
  await until(() => alarms().length === 0, 'no alarm is on')
  expect([await verdictOf(minted), await verdictOf(unopened)]).toEqual(['ok', 'ok'])
  cluster.keks = { kek: KEK }
  await cluster.stopReplica()
  await expect(cluster.startReplica()).rejects.toMatchObject({ code: 'kek_wrong' })
})

test('a third party that is removed and added during a rotation request has only the new key', async () => {
  const cluster = await Cluster.start({ regions: [] })
  const operator = await cluster.signer()
  await operator.addThirdParty({ name: 'store' })
  cluster.keks = { kek: NEW, previousKeks: [KEK] }
  await cluster.stopPrimary()
  await cluster.startPrimary()
  const signer = await cluster.signer()
  const [, added] = await Promise.all([
    signer.removeThirdParty('store'),
    signer.addThirdParty({ name: 'store' }),
    signer.rotateKek({ force: true }),
  ])
  await cluster.stopPrimary()
  await cluster.startPrimary()
  expect(cluster.primary.status.alarms.map(({ code }) => code)).toEqual([])
  const { thirdParties } = await (await cluster.signer()).listThirdParties()
  expect(thirdParties.map(({ publicKey }) => publicKey)).toEqual([added.publicKey])
})

test('configurations name the ring, and neither checking nor showing them shows a key', async () => {
  const cluster = Cluster.create()
  const [kek, old] = ['cd'.repeat(32), 'ab'.repeat(32)]
  const file = (name: string, content: string, mode: number = 0o600): string => {
    writeFileSync(join(cluster.folder, name), content, { mode })
    return join(cluster.folder, name)
  }
  file('kek.new', kek)
  file('kek.old', old)
  const identity = join(cluster.folder, 'node.key')
  expect((await commandLine(['keygen', '--out', identity])).status).toBe(0)
  const config = (oldFile: string): string =>
    [
      'cluster = "test"',
      'data = "data"',
      'identity = "node.key"',
      'listen = "127.0.0.1:0"',
      'alone = true',
      '[kek]',
      'file = "kek.new"',
      '[[kek.previous]]',
      `file = "${oldFile}"`,
    ].join('\n')
  const toml = file('primary.toml', config('kek.old'))
  expect(await commandLine(['config', 'check', toml])).toMatchObject({ status: 0 })
  const shown = await commandLine(['config', 'print', toml, '--json'])
  expect(shown.json<{ config: { kek: unknown } }>().config.kek).toEqual({
    file: join(cluster.folder, 'kek.new'),
    previous: [{ file: join(cluster.folder, 'kek.old') }],
  })
  for (const key of [kek, old]) expect(shown.stdout).not.toContain(key)
  file('kek.open', old, 0o644)
  const open = await commandLine(['config', 'check', file('open.toml', config('kek.open')), '--json'])
  expect([open.status, open.json()]).toMatchObject([1, { error: { code: 'key_permissions' } }])
  const gone = await commandLine(['config', 'check', file('gone.toml', config('kek.gone')), '--json'])
  expect([gone.status, gone.json()]).toMatchObject([1, { error: { code: 'kek_missing' } }])
})
