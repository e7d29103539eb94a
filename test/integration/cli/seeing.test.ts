/** Commands that show what is on record: tokens, the audit, and who the caller is. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { unlessOlder } from '../../../shared/channel/older-node.ts'
import { RpcClient } from '../../../shared/channel/rpc-client.ts'
import { systemClock } from '../../../shared/clock.ts'
import { LOGIN, withLogin } from '../../primary/authority/presented.ts'
import { ticketTextOf } from '../../shared/macaroon/ticket-of.ts'
import { Cluster, CLUSTER, identityOf, until, type Who } from '../cluster/harness.ts'
import { openStoppedLog } from '../cluster/stopped-log.ts'
import { commandLine, macaroond, PROGRAM, type Ran } from './command.ts'

type Json = Record<string, unknown>
interface Token {
  readonly id: string
  readonly subject: string
  readonly state: string
  readonly issuedAtMs: number
}
interface Listed {
  readonly tokens: readonly Token[]
  readonly next?: string
}
interface AuditRow {
  readonly seq: number
  readonly kind: string
  readonly org: string
  readonly actor: string
  readonly target: string
  readonly detail: Json
}
interface Audit {
  readonly records: readonly AuditRow[]
  readonly through: number
  readonly next?: number
}

class Caller {
  readonly cluster: Cluster
  readonly profile: string

  constructor(cluster: Cluster, profile: string) {
    this.cluster = cluster
    this.profile = profile
  }

  static async of(cluster: Cluster, who: Who = 'operator'): Promise<Caller> {
    return new Caller(cluster, await cluster.profile(who))
  }

  run(args: readonly string[], stdin: string = ''): Promise<Ran> {
    return commandLine(args, { profile: this.profile, stdin })
  }

  async json<T = Json>(args: readonly string[], stdin: string = ''): Promise<T> {
    return (await this.run([...args, '--json'], stdin)).json<T>()
  }

  async mint(org: string, subject: string, more: readonly string[] = []): Promise<{ token: string; id: string }> {
    const { token, id } = await this.json(['token', 'mint', '--org', org, '--subject', subject, ...more])
    return { token: String(token), id: String(id) }
  }
}

async function started(regions: readonly ('fra' | 'sin')[] = ['fra']): Promise<Caller> {
  const operator = await Caller.of(await Cluster.start({ regions }))
  for (const org of ['acme', 'globex']) await operator.run(['org', 'create', org])
  return operator
}

const codeOf = (ran: Ran): readonly unknown[] => [ran.json<{ error?: { code: string } }>().error?.code, ran.status]

test('token list shows the tokens of one org with the state that a replica judges them by', async () => {
  const operator = await started()
  const alice = await operator.mint('acme', 'alice')
  const bob = await operator.mint('acme', 'bob', ['--ttl', '1s'])
  await operator.mint('globex', 'alice')
  const carol = await operator.mint('acme', 'carol', ['--ttl', '0'])
  await operator.json(['revoke', '--id', alice.id])
  const states = async (more: readonly string[] = []): Promise<readonly (readonly string[])[]> => {
    const { tokens } = await operator.json<Listed>(['token', 'list', '--org', 'acme', ...more])
    return tokens.map(({ id, state }) => [id, state])
  }
  await until(async () => (await states()).some(([, state]) => state === 'expired'), 'the token of bob expires')
  expect(await states()).toEqual([
    [alice.id, 'revoked'],
    [bob.id, 'expired'],
    [carol.id, 'live'],
  ])
  expect(await states(['--live'])).toEqual([[carol.id, 'live']])
  expect(await states(['--subject', 'bob'])).toEqual([[bob.id, 'expired']])
  expect(await states(['--subject', 'nobody'])).toEqual([])

  const { tokens } = await operator.json<Listed>(['token', 'list', '--org', 'acme'])
  const since = new Date(tokens[2]?.issuedAtMs ?? 0).toISOString()
  expect(await states(['--since', since])).toEqual([[carol.id, 'live']])

  const first = await operator.json<Listed>(['token', 'list', '--org', 'acme', '--limit', '2'])
  expect(first.tokens.map(({ id }) => id)).toEqual([alice.id, bob.id])
  const some = await operator.run(['token', 'list', '--org', 'acme', '--limit', '2'])
  expect(some.stderr).toMatch(/^looked up to 20\S+.*; there may be more: continue with --after [0-9a-f]{32}\n$/)
  expect(first).toMatchObject({ next: bob.id.split('.')[1], lookedUpToMs: first.tokens[1]?.issuedAtMs })
  expect(await states(['--after', String(first.next)])).toEqual([[carol.id, 'live']])

  const text = await operator.run(['token', 'list', '--org', 'acme'])
  expect(text.stdout).toMatch(/^ID +STATE +ISSUED +EXPIRES +SUBJECT\n/)
  expect(text.stdout).toMatch(new RegExp(`\n${carol.id} +live +20\\S+Z +never +carol\n$`))
  expect(text.stderr).toMatch(/^looked at all records\n$/)

  await operator.json(['org', 'disable', 'acme'])
  expect(new Set((await states()).map(([, state]) => state))).toEqual(new Set(['org_disabled']))
})

test('token show has who issued a token, what was made from it, and where it is revoked', async () => {
  const operator = await started(['fra', 'sin'])
  const root = await operator.mint('acme', 'alice')
  const bundle = withLogin(root.token)
  const exchange = ['token', 'exchange', '--strip', LOGIN, '--id', root.id, '--ticket', ticketTextOf(bundle)]
  const made = await operator.json(exchange, bundle)
  const service = String(made['id'])

  const before = await operator.json(['token', 'show', root.id])
  const by = `operator ${identityOf('operator').peerId}`
  expect(before).toMatchObject({
    id: root.id,
    org: 'acme',
    subject: 'alice',
    recorded: true,
    state: 'live',
    why: null,
    ancestors: [],
    issued: { kind: 'token.mint', by },
    made: { tokens: [{ id: service, stripped: LOGIN }] },
    revocations: [],
  })
  expect(await operator.json(['token', 'show', service])).toMatchObject({
    ancestors: [root.id],
    issued: { kind: 'token.exchange', by },
    made: { tokens: [] },
  })
  const listed = await operator.json<Listed>(['token', 'list', '--org', 'acme'])
  expect(listed.tokens).toMatchObject([{ id: root.id }, { id: service, ancestors: [root.id] }])

  await operator.json(['token', 'revoke', '--id', root.id, '--reason', 'lost', '--wait', 'global'])
  const after = await operator.json(['token', 'show', '-'], String(made['token']))
  expect(after).toMatchObject({
    id: service,
    state: 'revoked',
    why: 'a token that this one was made from: it is revoked',
    revocations: [{ seq: 1, id: root.id, reason: 'lost', coverage: { covered: true } }],
  })
  const text = (await operator.run(['token', 'show', root.id])).stdout
  expect(text).toContain(`${root.id}: it is revoked\n  of acme for alice\n`)
  expect(text).toMatch(/\n {2}minted by operator 12D3\S+\n/)
  expect(text).toContain(`\n  made from it:\n    ${service}\n`)
  expect(text).toMatch(/it binds everywhere\n {2}fra: acknowledged at .*\n {2}sin: acknowledged at /)
})

test('audit list chooses records by time, actor, org and kind, and a replica has the same ones', async () => {
  const operator = await started()
  const signer = await Caller.of(operator.cluster, 'acme')
  const { id } = await signer.mint('acme', 'alice')
  await operator.json(['revoke', '--id', id, '--reason', 'lost'])
  const list = (more: readonly string[]): Promise<Audit> => operator.json<Audit>(['audit', 'list', ...more])
  const kinds = async (more: readonly string[]): Promise<readonly string[]> =>
    (await list(more)).records.map(({ kind }) => kind)
  expect(await kinds(['--org', 'acme'])).toEqual(['org.create', 'token.mint', 'token.revoke'])
  expect(await kinds(['--actor', 'acme'])).toEqual(['token.mint'])
  expect(await kinds(['--actor', identityOf('acme').peerId])).toEqual(['token.mint'])
  expect(await kinds(['--kind', 'org.create'])).toEqual(['org.create', 'org.create'])
  expect(await kinds(['--kind', 'nonsense'])).toEqual([])
  const all = await list([])
  expect(all.records.map(({ seq }) => seq)).toEqual(Array.from({ length: all.through }, (_, n) => n + 1))
  expect(all.records.at(-1)).toMatchObject({ kind: 'token.revoke', target: id, detail: { reason: 'lost', seq: 1 } })
  expect(await kinds(['--since', new Date(Date.now() - 3_600_000).toISOString()])).toHaveLength(all.through)

  const first = await list(['--limit', '2'])
  expect(first).toMatchObject({ records: [{ seq: 1 }, { seq: 2 }], next: 2 })
  expect((await list(['--after', '2'])).records).toEqual(all.records.slice(2))

  await operator.cluster.caughtUp()
  const copy = await list(['--region', 'fra', '--org', 'acme'])
  expect(copy.records).toEqual((await list(['--org', 'acme'])).records)
  const text = await operator.run(['audit', 'list', '--kind', 'token.mint'])
  expect(text.stdout).toMatch(/^SEQ +AT +KIND/)
  expect(text.stdout).toMatch(new RegExp(`token.mint +acme +${id} {2}acme 12D3\\S+ subject="alice" `))
})

/** A command that goes on, and the lines that it has printed. */
function following(
  args: readonly string[],
  profile: string,
): { readonly child: ChildProcess; readonly lines: () => readonly string[] } {
  const env = { ...process.env, MACAROOND_PROFILE: profile }
  const child = spawn(process.execPath, [PROGRAM, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let out = ''
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  return { child, lines: () => out.split('\n').slice(0, -1) }
}

test('audit list --follow prints records as they are written, and ends when nobody reads it', async () => {
  const operator = await started()
  const args = ['audit', 'list', '--follow', '--kind', 'token.mint', '--json']
  const { child, lines } = following(args, operator.profile)
  const ids = (): readonly unknown[] => lines().map((line) => (JSON.parse(line) as AuditRow).target)
  const one = await operator.mint('acme', 'alice')
  await until(() => ids().includes(one.id), 'the first mint is printed')
  const two = await operator.mint('globex', 'bob')
  await until(() => ids().includes(two.id), 'the second mint is printed')
  expect(ids()).toEqual([one.id, two.id])
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.stdout?.destroy()
  await operator.mint('acme', 'carol')
  expect(await ended).toBe(0)
})

test('whoami says what each node knows of the caller', async () => {
  const operator = await started()
  expect(await operator.json(['whoami'])).toMatchObject({
    cluster: CLUSTER,
    peerId: identityOf('operator').peerId,
    name: 'operator',
    role: 'operator',
    orgs: ['*'],
    node: 'primary',
    region: null,
  })
  expect(await operator.json(['whoami', '--region', 'fra'])).toMatchObject({
    role: 'operator',
    orgs: [],
    region: 'fra',
  })
  const signer = await Caller.of(operator.cluster, 'acme')
  expect(await signer.json(['whoami'])).toMatchObject({ name: 'acme', role: 'signer', orgs: ['acme'] })
  expect(codeOf(await signer.run(['whoami', '--region', 'fra', '--json']))).toEqual(['peer_refused', 3])
  const worker = await Caller.of(operator.cluster, 'worker')
  expect(await worker.json(['whoami'])).toMatchObject({
    name: 'worker',
    role: 'worker',
    node: 'replica',
    region: 'fra',
  })
  const text = await worker.run(['whoami'])
  expect(text.stdout).toBe(
    `worker, worker, as a replica in fra of ${CLUSTER} sees it\n  ${identityOf('worker').peerId}\n`,
  )
  const stranger = await Caller.of(operator.cluster, 'stranger')
  expect(codeOf(await stranger.run(['whoami', '--json']))).toEqual(['peer_refused', 3])
})

test('what may not be, or does not exist, is answered with its code and no row', async () => {
  const operator = await started()
  const { id, token } = await operator.mint('globex', 'alice')
  const acme = await Caller.of(operator.cluster, 'acme')
  const worker = await Caller.of(operator.cluster, 'worker')
  const unknownKey = `${'0'.repeat(16)}.${id.slice(17)}`
  const cases: readonly (readonly [Caller, readonly string[], string, number])[] = [
    [acme, ['token', 'list', '--org', 'globex'], 'permission_denied', 3],
    [acme, ['token', 'show', id], 'key_unknown', 1],
    [acme, ['audit', 'list'], 'peer_refused', 3],
    [worker, ['token', 'list', '--org', 'acme'], 'peer_refused', 3],
    [worker, ['token', 'show', id], 'peer_refused', 3],
    [worker, ['audit', 'list', '--region', 'fra'], 'peer_refused', 3],
    [operator, ['token', 'list', '--org', 'nobody'], 'org_unknown', 1],
    [operator, ['token', 'list', '--org', 'Acme'], 'request_invalid', 2],
    [operator, ['token', 'show', unknownKey], 'key_unknown', 1],
    [operator, ['token', 'show', 'nonsense'], 'request_invalid', 2],
    [operator, ['token', 'list', '--org', 'acme', '--since', '2100-01-01T00:00:00Z'], 'usage', 2],
    [operator, ['audit', 'list', '--since', '2100-01-01T00:00:00Z'], 'usage', 2],
    [operator, ['audit', 'list', '--since', 'yesterday'], 'usage', 2],
    [operator, ['audit', 'list', '--region', 'nowhere'], 'usage', 2],
    [operator, ['audit', 'list', '--follow', '--limit', '3'], 'usage', 2],
    [operator, ['whoami', '--region', 'nowhere'], 'usage', 2],
  ]
  for (const [caller, args, code, status] of cases)
    expect([args, ...codeOf(await caller.run([...args, '--json']))]).toEqual([args, code, status])
  const pasted = await operator.run(['token', 'show', token])
  expect([pasted.status, pasted.stderr.includes(token.slice(0, 20))]).toEqual([2, false])
  // An id that was never minted, under a key of ours: there is no record, and that is said.
  const never = `${id.slice(0, 17 + 12)}700080000000000000aa`
  const shown = await operator.run(['token', 'show', never, '--json'])
  expect(shown.json()).toMatchObject({ recorded: false, subject: null, expiresAt: null, issued: null, org: 'globex' })
  expect(shown.status).toBe(1)
})

test('a missing, an unreadable and a foreign profile are three errors of every command', async () => {
  const { cluster, profile } = await started()
  const commands = [
    ['token', 'list', '--org', 'acme'],
    ['token', 'show', `${'0'.repeat(16)}.${'0'.repeat(32)}`],
  ]
  for (const args of [...commands, ['audit', 'list'], ['whoami']]) {
    expect(codeOf(await commandLine([...args, '--json']))).toEqual(['usage', 2])
    const missing = join(cluster.folder, 'missing.toml')
    expect(codeOf(await commandLine([...args, '--json'], { profile: missing }))).toEqual(['config_unreadable', 2])
  }
  const foreign = foreignProfile(cluster, profile)
  for (const args of [['audit', 'list'], ['whoami']]) {
    const ran = await commandLine([...args, '--json'], { profile: foreign })
    expect([args, ...codeOf(ran)]).toEqual([args, 'handshake_failed', 3])
  }
})

function foreignProfile(cluster: Cluster, profile: string): string {
  const foreign = join(cluster.folder, 'foreign.toml')
  writeFileSync(foreign, readFileSync(profile, 'utf8').replace(`cluster = "${CLUSTER}"`, 'cluster = "another"'))
  return foreign
}

test('a node that does not have a call is called older', async () => {
  const { cluster } = await started()
  const client = new RpcClient(await cluster.dialPrimary('operator', 'sign'))
  const asked = unlessOlder('the primary', 'tokens.next', () => client.call('tokens.next', {}))
  await expect(asked).rejects.toMatchObject({
    code: 'request_invalid',
    message: 'the primary runs an older macaroond, which does not answer tokens.next',
  })
  await client.close()
})

const MANY = 100_000

/** Adds mints before the present ones to the database of a stopped primary, in one transaction. */
function addMints(folder: string): void {
  const log = openStoppedLog(folder)
  const fromMs = Date.now() - 2 * MANY
  log.db.exec(`BEGIN IMMEDIATE;
    INSERT INTO issued (kid, nonce, subject, expires_at)
      WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${MANY - 1})
      SELECT (SELECT kid FROM root_keys WHERE org = 'acme'), unhex(printf('%012x70008000000000000000', ${fromMs} + i)), 'alice', 0 FROM n;
    UPDATE meta SET txid = txid + 1; COMMIT`)
  log.connect(() => undefined)
  log.captureCommit(systemClock.wallMs())
  log.close()
}

test(
  'lists 100,000 tokens in little memory; a closed pipe ends it, a full disk fails it',
  { timeout: 120_000 },
  async () => {
    const { cluster } = await started()
    await cluster.stopPrimary()
    addMints(cluster.primaryFolder)
    await cluster.startPrimary()
    await until(() => cluster.primary.writes === 'open', 'writes are open')
    const operator = await Caller.of(cluster)
    const { profile } = operator
    const { id } = await operator.mint('acme', 'bob')
    const list = `"$0" --max-old-space-size=64 "$1" token list --org acme --profile "$2"`
    const shell = (script: string): Promise<readonly [number | null, string]> => shellOf(script, profile)
    const [, count] = await shell(`${list} 2> /dev/null | wc -l`)
    expect(Number(count)).toBe(MANY + 2)
    const since = new Date(Date.now() - MANY - 3_000).toISOString()
    const [, document] = await shell(`${list} --since ${since} --json | tail -c 300`)
    expect(document).toContain(`{"id":"${id}","subject":"bob"`)
    expect(document).toMatch(/\}\]\}\n$/)
    expect(await shell(`set -o pipefail; ${list} 2>&1 | head -1`)).toEqual([0, expect.stringMatching(/^ID +STATE/)])
    const [full, said] = await shell(`${list} 2>&1 > /dev/full`)
    expect([full, said]).toEqual([1, expect.stringContaining('answer_unwritten')])
    expect((await macaroond(['token', 'list', '--org', 'acme', '--subject', 'bob'], { profile })).stdout).toContain(id)
  },
)

function shellOf(script: string, profile: string): Promise<readonly [number | null, string]> {
  return new Promise((resolve) => {
    const child = spawn('bash', ['-c', script, process.execPath, PROGRAM, profile])
    let out = ''
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
    child.once('close', (status) => resolve([status, out]))
  })
}
