/** Every way to revoke, from the command line to two replicas, and what the command reports. */
import { expect, test } from 'vitest'
import { LOGIN, withLogin } from '../../primary/authority/presented.ts'
import { Cluster } from '../cluster/harness.ts'
import { commandLine, type Ran } from './command.ts'
import { ticketTextOf } from '../../shared/macaroon/ticket-of.ts'

type Json = Record<string, unknown>

class Operator {
  readonly cluster: Cluster
  readonly #profiles = new Map<string, string>()

  constructor(cluster: Cluster) {
    this.cluster = cluster
  }

  static async start(regions: readonly ('fra' | 'sin')[] = ['fra', 'sin']): Promise<Operator> {
    const operator = new Operator(await Cluster.start({ regions }))
    for (const org of ['acme', 'globex']) await operator.run(['org', 'create', org])
    return operator
  }

  async run(args: readonly string[], stdin: string = '', who: 'operator' | 'acme' = 'operator'): Promise<Ran> {
    const profile = this.#profiles.get(who) ?? (await this.cluster.profile(who))
    this.#profiles.set(who, profile)
    return commandLine(args, { profile, stdin })
  }

  async json<T = Json>(args: readonly string[], stdin: string = '', who: 'operator' | 'acme' = 'operator'): Promise<T> {
    return (await this.run([...args, '--json'], stdin, who)).json<T>()
  }

  /** After a restart nodes have other addresses. */
  forgetAddresses(): void {
    this.#profiles.clear()
  }

  async mint(org: string, subject: string, more: readonly string[] = []): Promise<{ token: string; id: string }> {
    const { token, id } = await this.json(['token', 'mint', '--org', org, '--subject', subject, ...more])
    return { token: String(token), id: String(id) }
  }

  /** The verdict of each region, by the state after a write. */
  async verdicts(org: string, token: string, position?: unknown): Promise<readonly unknown[]> {
    const after = typeof position === 'string' ? ['--min-position', position] : []
    const verify = ['token', 'verify', '--org', org, '--access', 'op=read', ...after]
    const judged = ['fra', 'sin'].map((region) => this.json([...verify, '--region', region], token))
    return (await Promise.all(judged)).map(({ ok, reason }) => (ok === true ? 'ok' : reason))
  }
}

const codeOf = ({ error }: Json): unknown => (error as Json | undefined)?.['code']

test('revoking a subject or an org up to now spares later tokens and other orgs, in both regions', async () => {
  const operator = await Operator.start()
  const [alice, bob] = [await operator.mint('acme', 'alice'), await operator.mint('acme', 'bob')]
  const other = await operator.mint('globex', 'alice')
  const revoked = await operator.json([
    'revoke',
    '--org',
    'acme',
    '--subject',
    'alice',
    '--reason',
    'left',
    '--wait',
    'global',
  ])
  expect(revoked).toMatchObject({
    kind: 'subject',
    org: 'acme',
    subject: 'alice',
    seq: 1,
    already: false,
    durability: 'replica',
  })
  expect(revoked['replicas']).toMatchObject([{ name: 'fra' }, { name: 'sin' }])
  const later = await operator.mint('acme', 'alice')
  const { position } = revoked
  expect(await operator.verdicts('acme', alice.token, position)).toEqual(['revoked', 'revoked'])
  expect(await operator.verdicts('acme', bob.token)).toEqual(['ok', 'ok'])
  expect(await operator.verdicts('globex', other.token)).toEqual(['ok', 'ok'])

  const dry = await operator.json(['revoke', '--org', 'acme', '--dry-run'])
  expect(dry).toMatchObject({ dryRun: true, org: 'acme', tokens: { count: 3, complete: true } })
  const mistyped = await operator.run(['revoke', '--org', 'acme', '--subject', 'alcie', '--dry-run'])
  expect(mistyped.stderr).toMatch(/warning: no token on record of "alcie" in acme\n +did you mean "alice"\?/)
  expect(await operator.verdicts('acme', bob.token)).toEqual(['ok', 'ok'])
  const whole = await operator.json(['revoke', '--org', 'acme', '--all'])
  expect(whole).toMatchObject({ kind: 'org', seq: 2, already: false })
  expect(await operator.verdicts('acme', bob.token, whole['position'])).toEqual(['revoked', 'revoked'])
  expect(await operator.verdicts('acme', later.token)).toEqual(['revoked', 'revoked'])
  expect(await operator.verdicts('globex', other.token)).toEqual(['ok', 'ok'])
  const upTo = new Date(Number(whole['issuedUpToMs'])).toISOString()
  const again = await operator.json(['revoke', '--org', 'acme', '--yes', '--before', upTo])
  expect(again).toMatchObject({ seq: 2, already: true })
  const after = await operator.json(['token', 'mint', '--org', 'acme', '--subject', 'bob'])
  expect(await operator.verdicts('acme', String(after['token']), after['position'])).toEqual(['ok', 'ok'])

  const listed = (await operator.run(['revocations', 'list'])).stdout.split('\n')
  expect(listed[1]).toMatch(/^1 .* subject +acme +alice issued up to 20\S+Z +operator 12D3Koo\S+ +left$/)
  expect(listed[2]).toMatch(/^2 .* org +acme +issued up to 20\S+Z +operator 12D3Koo\S+/)

  // A cut-off in the past, by unix seconds, hits nothing of today; one in the future is refused.
  expect(await operator.json(['revoke', '--org', 'globex', '--all', '--before', '1700000000'])).toMatchObject({
    issuedUpToMs: 1.7e12,
  })
  expect(await operator.verdicts('globex', other.token)).toEqual(['ok', 'ok'])
  const future = await operator.run([
    'revoke',
    '--org',
    'globex',
    '--all',
    '--before',
    '2100-01-01T00:00:00Z',
    '--json',
  ])
  expect([codeOf(future.json()), future.status]).toEqual(['request_invalid', 2])
})

test('a dry run shows how many tokens it would apply to and the first ids, and revokes none', async () => {
  const operator = await Operator.start()
  const alice = [await operator.mint('acme', 'alice'), await operator.mint('acme', 'alice')].map(({ id }) => id)
  const bobs = Array.from({ length: 7 }, () => operator.mint('acme', 'bob'))
  const bob = (await Promise.all(bobs)).map(({ id }) => id)
  const dry = async (more: readonly string[]): Promise<Json> => operator.json(['revoke', ...more, '--dry-run'])
  const ofAlice = await dry(['--org', 'acme', '--subject', 'alice'])
  expect(ofAlice).toMatchObject({ dryRun: true, subject: 'alice', tokens: { count: 2, first: alice } })
  const ofAll = await dry(['--org', 'acme'])
  expect(ofAll).toMatchObject({ tokens: { count: 9 } })
  expect((ofAll['tokens'] as { first: readonly string[] }).first).toEqual([...alice, ...bob].toSorted().slice(0, 5))
  expect(await dry(['--org', 'acme', '--all', '--before', '1 hour ago'])).toMatchObject({
    tokens: { count: 0, first: [] },
  })
  const text = await operator.run(['revoke', '--org', 'acme', '--subject', 'bob', '--dry-run'])
  expect(text.stdout).toMatch(/^would apply to 7 tokens on record of bob; nothing is revoked\n( {2}[0-9a-f.]{49}\n){5}/)
  expect(text.stdout).toContain('  `macaroond token list --org acme --subject "bob"` shows all of them\n')

  const root = await operator.mint('acme', 'carol')
  const bundle = withLogin(root.token)
  const exchange = ['token', 'exchange', '--strip', LOGIN, '--id', root.id, '--ticket', ticketTextOf(bundle)]
  const made = await operator.json(exchange, bundle)
  const ofOne = { dryRun: true, id: root.id, subject: 'carol', state: 'live', made: [made['id']], more: false }
  expect(await dry(['--id', root.id])).toMatchObject(ofOne)
  expect(await operator.json(['revoke', '--token', '-', '--dry-run'], root.token)).toMatchObject(ofOne)
  const key = await operator.json(['org', 'retire-key', 'acme', '--key', root.id.slice(0, 16), '--dry-run'])
  expect(key).toMatchObject({ tokens: { count: 11, first: expect.arrayContaining(alice) as unknown } })
  const { revocations } = await operator.json<{ revocations: readonly unknown[] }>(['revocations', 'list'])
  expect(revocations).toEqual([])
})

test('all tokens of an org need --all, and a revocation that applies to nothing warns first', async () => {
  const operator = await Operator.start()
  await operator.mint('acme', 'alice')
  const bare = await operator.run(['revoke', '--org', 'acme'])
  expect([bare.status, bare.stderr]).toEqual([
    2,
    'macaroond: this would revoke the tokens of every subject of acme (usage)\n' +
      '  give --all if you mean that, or --subject for one of them; --dry-run shows how many there are\n',
  ])
  expect((await operator.run(['revoke', '--org', 'acme', '--before', '1 hour ago'])).status).toBe(2)
  expect((await operator.run(['revoke', '--org', 'acme', '--all', '--subject', 'alice'])).status).toBe(2)
  const wrong = await operator.run(['revoke', '--org', 'acme', '--subject', 'alcie'])
  expect(wrong.stderr).toMatch(/^warning: no token on record of "alcie" in acme\n {2}did you mean "alice"\?\n/)
  expect(wrong.status).toBe(0)
  const early = await operator.run(['revoke', '--org', 'acme', '--all', '--before', '2000-01-01', '--utc'])
  expect(early.stderr).toMatch(
    /^--before: 2000-01-01T00:00:00Z \(local time .*\)\nwarning: no token on record of acme, issued up to 2000-/,
  )
  expect((await operator.run(['org', 'disable', 'globex'])).stderr).toMatch(/^warning: no token on record of globex\n/)
})

test('tokens of a retired key or a disabled org end in both regions, also after restarts', async () => {
  const operator = await Operator.start()
  const old = await operator.mint('acme', 'alice')
  const other = await operator.mint('globex', 'alice')
  const nothingOld = await operator.run(['org', 'retire-key', 'acme', '--json'])
  expect([codeOf(nothingOld.json()), nothingOld.status]).toEqual(['request_invalid', 2])
  const rotated = await operator.json(['org', 'rotate-key', 'acme'])
  expect(rotated).toMatchObject({ org: 'acme', generation: 2, previous: old.id.slice(0, 16) })
  const fresh = await operator.mint('acme', 'alice')
  expect(fresh.id.slice(0, 16)).toBe(rotated['kid'])
  const retired = await operator.json(['org', 'retire-key', 'acme', '--reason', 'leaked', '--wait', 'global'])
  expect(retired).toMatchObject({ kind: 'key', kid: rotated['previous'], mints: rotated['kid'] })
  expect(await operator.verdicts('acme', old.token, retired['position'])).toEqual(['key_retired', 'key_retired'])
  expect(await operator.verdicts('acme', fresh.token)).toEqual(['ok', 'ok'])

  const disabled = await operator.run(['org', 'disable', 'globex', '--reason', 'contract ended'])
  expect(disabled.stdout).toContain('disabled globex: revocation 2, on a replica’s disk too')
  expect(disabled.stderr).toContain('tokens on record that it applies to: 1')
  const minting = await operator.run(['token', 'mint', '--org', 'globex', '--subject', 'x', '--json'])
  expect([codeOf(minting.json()), minting.status]).toEqual(['org_disabled', 3])
  expect((await operator.json<{ orgs: readonly Json[] }>(['org', 'list'])).orgs).toMatchObject([
    { name: 'acme', state: 'active', keys: [{ state: 'retired' }, { state: 'active' }] },
    { name: 'globex', state: 'disabled' },
  ])

  const { cluster } = operator
  await cluster.stopPrimary()
  for (const region of ['fra', 'sin'] as const) {
    await cluster.stopReplica(region)
  }
  await cluster.startPrimary()
  for (const region of ['fra', 'sin'] as const) await cluster.startReplica(region)
  for (const region of ['fra', 'sin'] as const) await cluster.caughtUp(region)
  operator.forgetAddresses()
  const { position } = await operator.json(['org', 'disable', 'globex', '--reason', 'again'])
  expect(await operator.verdicts('acme', old.token, position)).toEqual(['key_retired', 'key_retired'])
  expect(await operator.verdicts('acme', fresh.token)).toEqual(['ok', 'ok'])
  expect(await operator.verdicts('globex', other.token)).toEqual(['org_disabled', 'org_disabled'])
})

test('a service token ends with the subject cut-off, the key and the token that it was made from', async () => {
  const operator = await Operator.start()
  const root = await operator.mint('acme', 'alice')
  const bundle = withLogin(root.token)
  const exchange = ['token', 'exchange', '--strip', LOGIN, '--id', root.id, '--ticket', ticketTextOf(bundle)]
  const exchanged = await operator.json(exchange, bundle)
  const service = String(exchanged['token'])
  expect(await operator.verdicts('acme', service, exchanged['position'])).toEqual(['ok', 'ok'])
  const shownBefore = await operator.run(['revocations', 'show', '--token', '-', '--json'], service)
  expect([shownBefore.json(), shownBefore.status]).toEqual([{ revocations: [], more: false }, 1])

  const revoked = await operator.json(['revoke', '--id', root.id, '--wait', 'global'])
  expect(await operator.verdicts('acme', service, revoked['position'])).toEqual(['revoked', 'revoked'])
  type Shown = { revocations: readonly (Json & { coverage: Json })[] }
  const id = String(exchanged['id'])
  for (const [args, stdin] of [
    [['--token', '-'], service],
    [['--id', id], ''],
    [['--id', root.id], ''],
    [['--seq', '1'], ''],
  ] as const) {
    const { revocations } = await operator.json<Shown>(['revocations', 'show', ...args], stdin)
    expect(revocations).toMatchObject([
      { seq: 1, kind: 'token', id: root.id, org: 'acme', coverage: { covered: true } },
    ])
    expect(revocations[0]?.coverage['replicas']).toMatchObject([{ how: 'acknowledged' }, { how: 'acknowledged' }])
  }
  const told = await operator.run(['revocations', 'show', '--id', root.id])
  expect(told.stdout).toMatch(/it binds everywhere\n {2}fra: acknowledged at .*\n {2}sin: acknowledged at /)
  await operator.json(['revoke', '--org', 'acme', '--subject', 'alice'])
  const both = await operator.json<Shown>(['revocations', 'show', '--token', '-'], service)
  expect(both.revocations.map(({ kind }) => kind)).toEqual(['token', 'subject'])
})

test('a repeated request id gets the same answer after a restart; other content is a conflict', async () => {
  const operator = await Operator.start(['fra'])
  const { id } = await operator.mint('acme', 'alice')
  const asking: readonly (readonly string[])[] = [
    ['revoke', '--id', id, '--reason', 'lost', '--request-id', 'r-1'],
    ['revoke', '--org', 'acme', '--subject', 'alice', '--request-id', 'r-2'],
    ['org', 'rotate-key', 'acme', '--request-id', 'r-3'],
    ['org', 'retire-key', 'acme', '--request-id', 'r-4'],
    ['org', 'disable', 'globex', '--request-id', 'r-5'],
  ]
  const first = []
  for (const args of asking) first.push(await operator.json(args))
  expect(first).toMatchObject([
    { already: false },
    { already: false },
    { generation: 2 },
    { already: false },
    { already: false },
  ])
  const again = []
  for (const args of asking) again.push(await operator.json(args))
  expect(again).toEqual(first)
  const { cluster } = operator
  await cluster.stopPrimary()
  await cluster.startPrimary()
  await cluster.caughtUp('fra')
  operator.forgetAddresses()
  const afterRestart = []
  for (const args of asking) afterRestart.push(await operator.json(args))
  expect(afterRestart).toEqual(first)
  const conflict = await operator.run(['revoke', '--id', id, '--reason', 'another', '--request-id', 'r-1', '--json'])
  expect([codeOf(conflict.json()), conflict.status]).toEqual(['request_conflict', 5])
  // Another caller's ids are its own.
  const others = await operator.json(['revoke', '--id', id, '--request-id', 'r-1'], '', 'acme')
  expect(others).toMatchObject({ id, already: true })
  const { revocations } = await operator.json<{ revocations: readonly Json[] }>(['revocations', 'list'])
  expect(revocations.map(({ kind }) => kind)).toEqual(['token', 'subject', 'key', 'org_disabled'])
})

test('an unknown id, a malformed id and one of another org get exact answers and add no row', async () => {
  const operator = await Operator.start(['fra'])
  const { id } = await operator.mint('globex', 'alice')
  const unknown = `${'0'.repeat(16)}.${id.slice(17)}`
  const cases: readonly (readonly [readonly string[], unknown, number])[] = [
    [['revoke', '--id', unknown], 'key_unknown', 1],
    [['revoke', '--id', id], 'key_unknown', 1],
    [['revoke', '--org', 'globex', '--all'], 'permission_denied', 3],
    [['revoke', '--org', 'globex', '--subject', 'alice'], 'permission_denied', 3],
    [['org', 'retire-key', 'globex'], 'permission_denied', 3],
    [['org', 'retire-key', 'acme', '--key', id.slice(0, 16)], 'key_unknown', 1],
    [['org', 'retire-key', 'acme', '--key', 'nonsense'], 'request_invalid', 2],
    [['org', 'disable', 'globex'], 'permission_denied', 3],
    [['org', 'rotate-key', 'globex'], 'permission_denied', 3],
    [['kek', 'rotate'], 'permission_denied', 3],
    [['revocations', 'show', '--org', 'globex'], 'permission_denied', 3],
    [['revocations', 'show', '--id', id], 'key_unknown', 1],
    [['revocations', 'show', '--seq', '1'], 'request_invalid', 2],
    [['revoke', '--id', id, '--request-id', 'a b'], 'request_invalid', 2],
  ]
  for (const [args, code, status] of cases) {
    const ran = await operator.run([...args, '--json'], '', 'acme')
    expect([args, codeOf(ran.json()), ran.status]).toEqual([args, code, status])
  }
  const nobody = await operator.run(['revoke', '--org', 'nobody', '--all', '--json'])
  expect([codeOf(nobody.json()), nobody.status]).toEqual(['org_unknown', 1])
  expect(await operator.json(['revocations', 'list'])).toEqual({ revocations: [] })
  // A token that was never minted under a key of ours is revoked by its id all the same, and it is said that nothing is on record.
  const never = `${id.slice(0, 17 + 12)}700080000000000000aa`
  const madeUp = await operator.json(['revoke', '--id', `${id.slice(0, 17)}019a00000000700080000000000000aa`])
  expect(codeOf(madeUp)).toBe('request_invalid')
  expect(await operator.json(['revoke', '--id', never])).toMatchObject({
    matched: 'unrecorded',
    already: false,
    seq: 1,
  })
})
