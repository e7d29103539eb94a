/** A cluster of `macaroond dev`, worked with from the command line as an operator would, until it is killed. */
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import { spawn } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { run } from '../../../ops/command-line.ts'
import { capture } from '../../ops/streams.ts'
import { commandLine, type Dev, macaroond, pidsOf, PROGRAM, runs, until } from './command.ts'
import { DevFolder } from './dev-folder.ts'

const NOTHING_LISTENS = '127.0.0.1:9'
const here = DevFolder.forThisFile()

describe('dev', () => {
  it('says in cluster.json what runs where, and how to start it again', () => {
    const { primary, replicas, archive } = here.dev.cluster
    expect(archive).toBe(`${dirname(primary.database)}-archive`)
    expect(replicas.map(({ region }) => region)).toEqual(['fra', 'sin'])
    for (const [role, node] of [['primary', primary] as const, ...replicas.map((one) => ['replica', one] as const)]) {
      expect(node.address).toMatch(/^127\.0\.0\.1:\d+$/)
      expect(node.peerId).toMatch(/^12D3Koo/)
      expect(existsSync(node.database)).toBe(true)
      expect(node.command.slice(-3)).toEqual([role, '--config', node.config])
      expect(runs(node.pid)).toBe(true)
    }
  })

  it('has a profile for each role, and each may do its own work and no other', async () => {
    const { profiles } = here.dev.cluster
    expect(Object.keys(profiles)).toEqual(['operator', 'worker', 'signer'])
    const create = ['org', 'create', 'by-role']
    expect(await commandLine(create, { profile: profiles.worker ?? '' })).toMatchObject({ status: 3 })
    expect(await commandLine(create, { profile: profiles.operator ?? '' })).toMatchObject({ status: 0 })
    const mint = ['token', 'mint', '--org', 'by-role', '--subject', 'x']
    const minted = await commandLine(mint, { profile: profiles.signer ?? '' })
    expect(minted.status).toBe(0)
    expect(await commandLine(mint, { profile: profiles.worker ?? '' })).toMatchObject({ status: 3 })
    const verify = ['token', 'verify', '--org', 'by-role', '--region', 'fra']
    await expect
      .poll(async () => (await commandLine(verify, { stdin: minted.stdout, profile: profiles.worker ?? '' })).status)
      .toBe(0)
  })

  it('keeps every secret from everybody else', () => {
    const secrets = [
      'kek',
      'primary.key',
      'operator.key',
      'worker.key',
      'signer.key',
      'replica-fra.key',
      'replica-sin.key',
    ]
    for (const name of secrets) expect(statSync(here.file(name)).mode & 0o777, name).toBe(0o600)
  })
})

describe('the life of a token', () => {
  let token: string
  let minted: Record<string, unknown>

  it('begins with an org and a mint, which prints all that is needed later', async () => {
    expect((await here.asProcess(['org', 'create', 'acme', '--json'])).json()).toMatchObject({ org: 'acme' })
    const args = ['token', 'mint', '--org', 'acme', '--subject', 'alice', '--caveat', 'op in read,write', '--ttl', '1h']
    minted = (await here.asProcess([...args, '--json'])).json()
    expect(minted).toEqual({
      token: expect.stringMatching(/^mcn1_/),
      id: expect.stringMatching(/^[0-9a-f]{16}\.[0-9a-f]{32}$/),
      org: 'acme',
      subject: 'alice',
      issuedAt: expect.any(Number),
      expiresAt: expect.any(Number),
      position: expect.stringMatching(/^1\.[0-9a-f]{16}\.[0-9a-f]{16}$/),
    })
    token = String(minted['token'])
  })

  it.each(['fra', 'sin'])('is accepted in %s, by that region’s own process', async (region) => {
    const position = ['--min-position', String(minted['position'])]
    const args = ['token', 'verify', '--org', 'acme', '--region', region, '--access', 'op=read', ...position, '--json']
    const { status, json } = await here.asProcess(args, token)
    const node = here.dev.cluster.replicas.find((replica) => replica.region === region)
    expect(json()).toMatchObject({ ok: true, id: minted['id'], region, node: node?.peerId, pid: node?.pid, epoch: 1 })
    expect(json()['txid']).toBeGreaterThan(0)
    expect(status).toBe(0)
  })

  it('is narrowed offline, and then refused by the caveat that was added, for that org only', async () => {
    const narrowed = await macaroond(['token', 'attenuate', '--caveat', 'op = read'], { stdin: token })
    const verify = ['token', 'verify', '--access', 'op=write', '--json', '--org']
    const [write, other] = await Promise.all([
      here.asProcess([...verify, 'acme'], narrowed.stdout),
      here.asProcess([...verify, 'other'], token),
    ])
    expect(write.json()).toMatchObject({ ok: false, reason: 'caveat_refused', caveat: 'op = read' })
    expect(other.json()).toMatchObject({ ok: false, reason: 'org_mismatch' })
    expect([write.status, other.status]).toEqual([3, 3])
  })

  it('is refused after its revocation in every region, with everything made from it', async () => {
    const narrowed = await macaroond(['token', 'attenuate', '--caveat', 'op = read'], { stdin: token })
    const revoked = await here.asProcess(['revoke', '--token', '-', '--reason', 'laptop lost', '--json'], token)
    expect(revoked.json()).toMatchObject({ id: minted['id'], org: 'acme', matched: 'recorded', durability: 'replica' })
    const position = String(revoked.json()['position'])
    const verify = ['token', 'verify', '--org', 'acme', '--access', 'op=read', '--min-position', position, '--json']
    for (const region of ['fra', 'sin']) {
      const { status, json } = await here.asProcess([...verify, '--region', region], narrowed.stdout)
      expect(json()).toMatchObject({ ok: false, reason: 'revoked', region })
      expect(status).toBe(3)
    }
  })

  it('is in the list of revocations, with its operator and reason', async () => {
    const { revocations } = (await here.asProcess(['revocations', 'list', '--org', 'acme', '--json'])).json<{
      revocations: readonly Record<string, unknown>[]
    }>()
    expect(revocations).toHaveLength(1)
    expect(revocations[0]).toMatchObject({ seq: 1, id: minted['id'], org: 'acme', reason: 'laptop lost' })
    expect(revocations[0]?.['actor']).toMatch(/^operator 12D3Koo/)
  })
})

describe('revocations list', () => {
  it('reads every page, and says where to continue if a limit stopped it', async () => {
    const ids = await Promise.all(
      [1, 2].map(async (n) => {
        const minted = await here.operator(['token', 'mint', '--org', 'acme', '--subject', `user ${n}`, '--json'])
        const id = String(minted.json()['id'])
        expect((await here.operator(['revoke', '--id', id, '--wait', 'local'])).status).toBe(0)
        return id
      }),
    )
    type Listed = { revocations: readonly { id: string; seq: number }[]; next?: number }
    const first = (
      await here.operator(['revocations', 'list', '--after', '1', '--limit', '1', '--json'])
    ).json<Listed>()
    const rest = (await here.operator(['revocations', 'list', '--after', String(first.next), '--json'])).json<Listed>()
    expect(rest.next).toBeUndefined()
    expect([...first.revocations, ...rest.revocations].map(({ id }) => id).toSorted()).toEqual(ids.toSorted())
  })
})

describe('status', () => {
  it('shows all nodes side by side', async () => {
    type Shown = {
      nodes: readonly { role: string; region: string | null; reachable: boolean; status: { pid: number } }[]
    }
    const { nodes } = (await here.operator(['status', '--json'])).json<Shown>()
    expect(nodes.map(({ role, region }) => [role, region])).toEqual([
      ['primary', null],
      ['replica', 'fra'],
      ['replica', 'sin'],
    ])
    expect(nodes.map(({ status }) => status.pid)).toEqual(pidsOf(here.dev.cluster))
    await expect.poll(async () => (await here.operator(['status'])).status, { timeout: 20_000 }).toBe(0)
    const { stdout } = await here.operator(['status'])
    expect(stdout).toMatch(/^ALL 2 REGIONS ANSWER, revocations bind within 5\.1 s\n {2}next: nothing to do\n/)
    expect(stdout).toContain('writes open')
  })

  it('marks an unreachable node, and exits with 6 while a region serves, with 4 when none does', async () => {
    const { address } = here.dev.cluster.primary
    const one = here.variant('one-away.toml', 'operator.toml', (text) => text.replace(address, NOTHING_LISTENS))
    const all = here.variant('all-away.toml', 'operator.toml', (text) =>
      text.replaceAll(/127\.0\.0\.1:\d+/g, NOTHING_LISTENS),
    )
    const [some, none] = await Promise.all([
      commandLine(['status', '--json'], { profile: one }),
      commandLine(['status', '--json'], { profile: all }),
    ])
    type Shown = { nodes: readonly { reachable: boolean; error?: { code: string } }[] }
    expect(some.json<Shown>().nodes.map(({ reachable }) => reachable)).toEqual([false, true, true])
    expect(some.json<Shown>().nodes[0]?.error?.code).toBe('connect_failed')
    expect([some.status, none.status]).toEqual([6, 4])
    expect(some.json()).toMatchObject({
      verdict: { health: 'degraded', next: expect.stringContaining(NOTHING_LISTENS) },
    })
    expect(none.json()).toMatchObject({ verdict: { health: 'down' } })
  })

  it('does not take for an outage that its identity cannot be read, or that the nodes refuse it', async () => {
    const identity = here.variant('no-identity.toml', 'operator.toml', (text) =>
      text.replace('operator.key', 'gone.key'),
    )
    const unread = await commandLine(['status', '--json'], { profile: identity })
    expect(unread).toMatchObject({ status: 1 })
    expect(unread.json()).toMatchObject({ error: { code: 'key_unreadable' } })
    const worker = await commandLine(['status'], { profile: here.dev.cluster.profiles.worker ?? '' })
    expect(worker).toMatchObject({ status: 3, stdout: '' })
  })

  it('asks again with --watch until a signal, and exits with its last verdict', async () => {
    const args = [PROGRAM, 'status', '--watch', '--json', '--profile', here.profile]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    const ended = once(child, 'close')
    await until(() => said.split('\n').length > 2)
    child.kill('SIGINT')
    expect(await ended).toEqual([0, null])
    const documents = said
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object)
    expect(documents[1]).toMatchObject({ verdict: { health: 'up' } })
  })

  it('folds its lines between words on a terminal of 80 columns, with names for PeerIds', async () => {
    const streams = capture({ isTTY: true })
    expect(await run(['status', '--profile', here.profile], streams)).toBe(0)
    const lines = streams.out().split('\n')
    expect(lines.filter((line) => line.length > 80)).toEqual([])
    expect(lines.filter((line) => line.includes('12D3Koo'))).toEqual([])
    expect(lines.filter((line) => line.startsWith('replica fra '))).toHaveLength(1)
  })
})

describe('the nodes of dev', () => {
  it('stay as they are when one is killed, and its command starts it again where it was', async () => {
    const [fra, sin] = here.dev.cluster.replicas
    if (fra === undefined || sin === undefined) throw new Error('there are two replicas')
    process.kill(fra.pid, 'SIGKILL')
    await until(() => here.dev.stderr().includes('replica-fra ended (SIGKILL)'))
    expect([here.dev.cluster.primary.pid, sin.pid].map(runs)).toEqual([true, true])
    expect((await here.operator(['token', 'mint', '--org', 'acme', '--subject', 'meanwhile'])).status).toBe(0)
    const [program = '', ...args] = fra.command
    const again = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] })
    const [line] = (await once(again.stdout, 'data')) as [Buffer]
    expect(JSON.parse(String(line))).toMatchObject({
      ready: true,
      role: 'replica',
      pid: again.pid,
      address: fra.address,
    })
    again.kill('SIGTERM')
    await until(() => again.exitCode !== null)
    expect(again.exitCode).toBe(0)
  })

  it('end with dev when it is killed, and start again on the same folder with what they had', async () => {
    const before = here.dev
    before.process.kill('SIGKILL')
    await until(() => !pidsOf(before.cluster).some(runs))
    rmSync(here.file('cluster.json'))
    await here.start()
    const unchanged = (node: Dev['cluster']['primary']): unknown => ({ ...node, pid: 0 })
    expect(unchanged(here.dev.cluster.primary)).toEqual(unchanged(before.cluster.primary))
    expect(here.dev.cluster.replicas.map(unchanged)).toEqual(before.cluster.replicas.map(unchanged))
    expect((await here.operator(['org', 'list', '--json'])).json()).toMatchObject({
      orgs: [{ name: 'acme' }, { name: 'by-role' }],
    })
  })

  it('stop in order on SIGTERM, and cluster.json is removed', async () => {
    here.dev.process.kill('SIGTERM')
    expect(await here.dev.ended).toBe(0)
    expect(pidsOf(here.dev.cluster).some(runs)).toBe(false)
    expect(existsSync(here.file('cluster.json'))).toBe(false)
    expect(existsSync(`${here.dev.cluster.primary.database}-wal`)).toBe(false)
  })

  it('stop when the npm that started dev is killed', async () => {
    const env = { ...process.env, npm_lifecycle_event: 'macaroond' }
    const script = `"${process.execPath}" "${PROGRAM}" dev --dir "${here.path}"; true`
    const npm = spawn('sh', ['-c', script], { env, stdio: 'ignore' })
    await until(() => existsSync(here.file('cluster.json')))
    const cluster = JSON.parse(readFileSync(here.file('cluster.json'), 'utf8')) as Dev['cluster']
    npm.kill('SIGKILL')
    await until(() => !pidsOf(cluster).some(runs) && !existsSync(here.file('cluster.json')))
    expect(pidsOf(cluster).some(runs)).toBe(false)
  })

  it('say why they do not start, and leave no process behind', async () => {
    const [fra] = here.dev.cluster.replicas
    const server = createServer()
    const port = Number(fra?.address.split(':')[1])
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    const { status, json } = await macaroond(['dev', '--dir', here.path, '--json'])
    server.close()
    expect(json()).toMatchObject({ error: { code: 'port_in_use', message: expect.stringContaining('replica-fra') } })
    expect(status).toBe(1)
    const log = readFileSync(here.file('primary.log'), 'utf8')
    const pids = [...log.matchAll(/"pid":(\d+)/g)].map((match) => Number(match[1]))
    expect([...new Set(pids)].some(runs)).toBe(false)
  })
})
