/** A cluster of `macaroond dev`, worked with from the command line as an operator would, until it is killed. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { spawn } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commandLine, type Dev, macaroond, pidsOf, PROGRAM, type Ran, runs, startDev, until } from './command.ts'

const folder = mkdtempSync(join(tmpdir(), 'macaroond-cli-'))
const profile = join(folder, 'operator.toml')
const NOTHING_LISTENS = '127.0.0.1:9'
/** Undefined when it did not start. */
let dev: Dev

const inFolder = (name: string): string => join(folder, name)
const operator = (args: readonly string[], stdin = ''): Promise<Ran> => commandLine(args, { profile, stdin })
/** As a process of its own, from its arguments to its exit status. */
const asProcess = (args: readonly string[], stdin = ''): Promise<Ran> => macaroond(args, { profile, stdin })

/** A file of the folder, changed, under another name beside it: relative paths in it go on to hold. */
function variant(name: string, from: string, change: (text: string) => string): string {
  const text = readFileSync(inFolder(from), 'utf8')
  const changed = change(text)
  expect(changed, `the change of ${from} changes something`).not.toBe(text)
  writeFileSync(inFolder(name), changed)
  return inFolder(name)
}

beforeAll(async () => {
  dev = await startDev(folder)
})

afterAll(async () => {
  dev?.process.kill('SIGTERM')
  await dev?.ended
  rmSync(folder, { recursive: true, force: true })
})

describe('dev', () => {
  it('says in cluster.json what runs where, and how to start it again', () => {
    const { primary, replicas, archive } = dev.cluster
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

  it('keeps every secret from everybody else', () => {
    const secrets = ['kek', 'primary.key', 'operator.key', 'replica-fra.key', 'replica-sin.key']
    for (const name of secrets) expect(statSync(inFolder(name)).mode & 0o777, name).toBe(0o600)
  })
})

describe('the life of a token', () => {
  let token: string
  let minted: Record<string, unknown>

  it('begins with an org and a mint, which tells all that is needed later', async () => {
    expect((await asProcess(['org', 'create', 'acme', '--json'])).json()).toMatchObject({ org: 'acme' })
    const args = ['token', 'mint', '--org', 'acme', '--subject', 'alice', '--caveat', 'op in read,write', '--ttl', '1h']
    minted = (await asProcess([...args, '--json'])).json()
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
    const { status, json } = await asProcess(args, token)
    const node = dev.cluster.replicas.find((replica) => replica.region === region)
    expect(json()).toMatchObject({ ok: true, id: minted['id'], region, node: node?.peerId, pid: node?.pid, epoch: 1 })
    expect(json()['txid']).toBeGreaterThan(0)
    expect(status).toBe(0)
  })

  it('is narrowed offline, and then refused by the caveat that was added, for that org only', async () => {
    const narrowed = await macaroond(['token', 'attenuate', '--caveat', 'op = read'], { stdin: token })
    const verify = ['token', 'verify', '--access', 'op=write', '--json', '--org']
    const [write, other] = await Promise.all([
      asProcess([...verify, 'acme'], narrowed.stdout),
      asProcess([...verify, 'other'], token),
    ])
    expect(write.json()).toMatchObject({ ok: false, reason: 'caveat_refused', caveat: 'op = read' })
    expect(other.json()).toMatchObject({ ok: false, reason: 'org_mismatch' })
    expect([write.status, other.status]).toEqual([3, 3])
  })

  it('ends with its revocation, in every region, and for what was made from it', async () => {
    const narrowed = await macaroond(['token', 'attenuate', '--caveat', 'op = read'], { stdin: token })
    const revoked = await asProcess(['revoke', '--token', '-', '--reason', 'laptop lost', '--json'], token)
    expect(revoked.json()).toMatchObject({ id: minted['id'], org: 'acme', matched: 'recorded', durability: 'replica' })
    const position = String(revoked.json()['position'])
    const verify = ['token', 'verify', '--org', 'acme', '--access', 'op=read', '--min-position', position, '--json']
    for (const region of ['fra', 'sin']) {
      const { status, json } = await asProcess([...verify, '--region', region], narrowed.stdout)
      expect(json()).toMatchObject({ ok: false, reason: 'revoked', region })
      expect(status).toBe(3)
    }
  })

  it('is in the list of revocations, with who and why', async () => {
    const { revocations } = (await asProcess(['revocations', 'list', '--org', 'acme', '--json'])).json<{
      revocations: readonly Record<string, unknown>[]
    }>()
    expect(revocations).toHaveLength(1)
    expect(revocations[0]).toMatchObject({ seq: 1, id: minted['id'], org: 'acme', reason: 'laptop lost' })
    expect(revocations[0]?.['actor']).toMatch(/^operator 12D3Koo/)
  })
})

describe('revocations list', () => {
  it('follows the pages, and says where to go on when it was asked for fewer', async () => {
    const ids = await Promise.all(
      [1, 2].map(async (n) => {
        const minted = await operator(['token', 'mint', '--org', 'acme', '--subject', `user ${n}`, '--json'])
        const id = String(minted.json()['id'])
        expect((await operator(['revoke', '--id', id, '--wait', 'local'])).status).toBe(0)
        return id
      }),
    )
    type Listed = { revocations: readonly { id: string; seq: number }[]; next?: number }
    const first = (await operator(['revocations', 'list', '--after', '1', '--limit', '1', '--json'])).json<Listed>()
    const rest = (await operator(['revocations', 'list', '--after', String(first.next), '--json'])).json<Listed>()
    expect(rest.next).toBeUndefined()
    expect([...first.revocations, ...rest.revocations].map(({ id }) => id).toSorted()).toEqual(ids.toSorted())
  })
})

describe('status', () => {
  it('shows all nodes side by side', async () => {
    type Shown = {
      nodes: readonly { role: string; region: string | null; reachable: boolean; status: { pid: number } }[]
    }
    const { nodes } = (await operator(['status', '--json'])).json<Shown>()
    expect(nodes.map(({ role, region }) => [role, region])).toEqual([
      ['primary', null],
      ['replica', 'fra'],
      ['replica', 'sin'],
    ])
    expect(nodes.map(({ status }) => status.pid)).toEqual(pidsOf(dev.cluster))
    const { stdout } = await operator(['status'])
    expect(stdout).toContain('writes open')
  })

  it('shows a node that cannot be reached as such, and ends with 4 only when none can', async () => {
    const { address } = dev.cluster.primary
    const one = variant('one-away.toml', 'operator.toml', (text) => text.replace(address, NOTHING_LISTENS))
    const all = variant('all-away.toml', 'operator.toml', (text) =>
      text.replaceAll(/127\.0\.0\.1:\d+/g, NOTHING_LISTENS),
    )
    const [some, none] = await Promise.all([
      commandLine(['status', '--json'], { profile: one }),
      commandLine(['status', '--json'], { profile: all }),
    ])
    type Shown = { nodes: readonly { reachable: boolean; error?: { code: string } }[] }
    expect(some.json<Shown>().nodes.map(({ reachable }) => reachable)).toEqual([false, true, true])
    expect(some.json<Shown>().nodes[0]?.error?.code).toBe('connect_failed')
    expect([some.status, none.status]).toEqual([0, 4])
  })
})

describe('what cannot be done is told with a code, a hint and the right status:', () => {
  const primaryToml = (name: string, change: (text: string) => string): string => variant(name, 'primary.toml', change)
  const mint = ['token', 'mint', '--org', 'acme', '--subject', 'x']
  const verify = ['token', 'verify', '--org', 'acme']

  interface Case {
    readonly what: string
    readonly args: () => readonly string[]
    readonly profile?: () => string
    readonly stdin?: string
    readonly code: string
    readonly status: number
    readonly says: RegExp
  }

  const cases: readonly Case[] = [
    {
      what: 'an unknown configuration key, with what was probably meant',
      args: () => ['primary', '--config', primaryToml('bad-key.toml', (text) => text.replace('listen', 'listne'))],
      code: 'config_invalid',
      status: 2,
      says: /listne.*did you mean \\"listen\\"/,
    },
    {
      what: 'an unknown key of a profile',
      args: () => ['org', 'list'],
      profile: () => variant('bad-profile.toml', 'operator.toml', (text) => text.replace('identity', 'identiti')),
      code: 'config_invalid',
      status: 2,
      says: /identiti.*did you mean \\"identity\\"/,
    },
    {
      what: 'an identity that others can read',
      args: () => ['org', 'list'],
      profile: () => {
        copyFileSync(inFolder('operator.key'), inFolder('open.key'))
        chmodSync(inFolder('open.key'), 0o644)
        return variant('open.toml', 'operator.toml', (text) => text.replace('operator.key', 'open.key'))
      },
      code: 'key_permissions',
      status: 1,
      says: /chmod 600/,
    },
    {
      what: 'the same, found by config check before anything is started',
      args: () => {
        copyFileSync(inFolder('kek'), inFolder('open-kek'))
        chmodSync(inFolder('open-kek'), 0o640)
        const file = primaryToml('open-kek.toml', (text) => text.replace('"kek"', '"open-kek"'))
        return ['config', 'check', file]
      },
      code: 'key_permissions',
      status: 1,
      says: /chmod 600/,
    },
    {
      what: 'an identity that is not there',
      args: () => ['org', 'list'],
      profile: () => variant('no-key.toml', 'operator.toml', (text) => text.replace('operator.key', 'nowhere.key')),
      code: 'key_unreadable',
      status: 1,
      says: /keygen/,
    },
    {
      what: 'a profile that is not there',
      args: () => ['org', 'list'],
      profile: () => inFolder('nowhere.toml'),
      code: 'config_unreadable',
      status: 2,
      says: /check the path/,
    },
    {
      what: 'a port in use',
      args: () => [
        'primary',
        '--config',
        primaryToml('port.toml', (text) => text.replace('data = "primary"', 'data = "p2"')),
      ],
      code: 'port_in_use',
      status: 1,
      says: /in use/,
    },
    {
      what: 'a data folder that another node has',
      args: () => ['primary', '--config', inFolder('primary.toml')],
      code: 'already_running',
      status: 5,
      says: /never share/,
    },
    {
      what: 'a primary that is not the pinned one',
      args: () => mint,
      profile: () => {
        const { primary, replicas } = dev.cluster
        const other = replicas[0]?.peerId ?? ''
        return variant('pin.toml', 'operator.toml', (text) => text.replace(primary.peerId, other))
      },
      code: 'peer_mismatch',
      status: 3,
      says: /12D3Koo/,
    },
    {
      what: 'an org that exists already',
      args: () => ['org', 'create', 'acme'],
      code: 'org_exists',
      status: 5,
      says: /org list/,
    },
    {
      what: 'an org that does not exist',
      args: () => [...mint, '--org', 'nobody'],
      code: 'org_unknown',
      status: 1,
      says: /nobody/,
    },
    {
      what: 'a caveat that is no predicate',
      args: () => [...mint, '--caveat', 'anything goes'],
      code: 'caveat_malformed',
      status: 2,
      says: /key op value/,
    },
    {
      what: 'a revocation of something that is no token',
      args: () => ['revoke', '--token', '-'],
      stdin: 'garbage',
      code: 'token_base64',
      status: 1,
      says: /base64url/,
    },
    {
      what: 'a revocation of a key that nobody has',
      args: () => ['revoke', '--id', `${'0'.repeat(16)}.${'0'.repeat(32)}`],
      code: 'key_unknown',
      status: 1,
      says: /kid/,
    },
    { what: 'nothing on stdin', args: () => verify, code: 'usage', status: 2, says: /standard input/ },
    {
      what: 'a region without a replica',
      args: () => [...verify, '--region', 'fr'],
      stdin: 'x',
      code: 'usage',
      status: 2,
      says: /did you mean fra/,
    },
    {
      what: 'a position that is none',
      args: () => [...verify, '--min-position', '12'],
      stdin: 'x',
      code: 'request_invalid',
      status: 2,
      says: /<epoch>/,
    },
    {
      what: 'a key file that exists already',
      args: () => ['keygen', '--out', inFolder('operator.key')],
      code: 'key_exists',
      status: 5,
      says: /not overwritten/,
    },
    {
      what: 'a second dev on the same folder',
      args: () => ['dev', '--dir', folder],
      code: 'already_running',
      status: 5,
      says: /another process/,
    },
    {
      what: 'a folder for dev that cannot be one',
      args: () => ['dev', '--dir', inFolder('kek/cluster')],
      code: 'io_failed',
      status: 1,
      says: /--dir/,
    },
  ]

  it.concurrent.each(cases)('$what', async ({ args, profile: other, stdin = '', code, status, says }) => {
    const words = args()
    // What runs nodes ends its process; everything else is quicker without one.
    const start = ['primary', 'dev'].includes(words[0] ?? '') ? macaroond : commandLine
    const outcome = await start([...words, '--json'], { profile: other?.() ?? profile, stdin })
    const { error } = outcome.json<{ error: { code: string; message: string; hint?: string } }>()
    expect({ status: outcome.status, code: error.code }).toEqual({ status, code })
    expect(JSON.stringify(error)).toMatch(says)
  })

  it.concurrent.each([
    ['garbage', 'token_base64'],
    ['mcn1_AgEDZGV2AigB', 'token_truncated'],
    ['mcn1_AgEDZGV2AigB.00000000', 'token_damaged'],
    ['A'.repeat(60_000), 'token_too_large'],
    ['fm2_lJPECAAAAAAAAAAB', 'token_unsupported'],
  ])('a token that is none is refused as such, and not an error (%#)', async (stdin, reason) => {
    const { status, json } = await operator([...verify, '--json'], stdin)
    expect(json()).toMatchObject({ ok: false, reason, region: 'fra' })
    expect(status).toBe(3)
  })
})

describe('a role', () => {
  it('that is missing is a clear refusal: nobody else mints, and a worker cannot either', async () => {
    const { peerId } = (await commandLine(['keygen', '--out', inFolder('worker.key'), '--json'])).json<{
      peerId: string
    }>()
    const worker = variant('worker.toml', 'operator.toml', (text) => text.replace('operator.key', 'worker.key'))
    const mint = ['token', 'mint', '--org', 'acme', '--subject', 'x', '--json']
    const stranger = await commandLine(mint, { profile: worker })
    expect(stranger.json()).toMatchObject({ error: { code: 'peer_refused', message: expect.stringContaining(peerId) } })
    const { primary } = dev.cluster
    const entry = `\n[[peers]]\nid = "${peerId}"\nname = "w"\nrole = "worker"\n`
    writeFileSync(primary.config, readFileSync(primary.config, 'utf8') + entry)
    process.kill(primary.pid, 'SIGHUP')
    await until(() => readFileSync(inFolder('primary.log'), 'utf8').includes('configuration reloaded'))
    const refused = await commandLine(mint, { profile: worker })
    expect(refused.json()).toMatchObject({ error: { code: 'peer_refused', message: 'a worker may not open sign' } })
    expect([stranger.status, refused.status]).toEqual([3, 3])
  })
})

describe('the nodes of dev', () => {
  it('do not end or come back because one was killed, and its command starts it again where it was', async () => {
    const [fra, sin] = dev.cluster.replicas
    if (fra === undefined || sin === undefined) throw new Error('there are two replicas')
    process.kill(fra.pid, 'SIGKILL')
    await until(() => dev.stderr().includes('replica-fra ended (SIGKILL)'))
    expect([dev.cluster.primary.pid, sin.pid].map(runs)).toEqual([true, true])
    expect((await operator(['token', 'mint', '--org', 'acme', '--subject', 'meanwhile'])).status).toBe(0)
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
    const before = dev
    before.process.kill('SIGKILL')
    await until(() => !pidsOf(before.cluster).some(runs))
    rmSync(inFolder('cluster.json'))
    dev = await startDev(folder)
    const unchanged = (node: Dev['cluster']['primary']): unknown => ({ ...node, pid: 0 })
    expect(unchanged(dev.cluster.primary)).toEqual(unchanged(before.cluster.primary))
    expect(dev.cluster.replicas.map(unchanged)).toEqual(before.cluster.replicas.map(unchanged))
    expect((await operator(['org', 'list', '--json'])).json()).toMatchObject({ orgs: [{ name: 'acme' }] })
  })

  it('end in order on SIGTERM, and cluster.json goes with them', async () => {
    dev.process.kill('SIGTERM')
    expect(await dev.ended).toBe(0)
    expect(pidsOf(dev.cluster).some(runs)).toBe(false)
    expect(existsSync(inFolder('cluster.json'))).toBe(false)
    expect(existsSync(`${dev.cluster.primary.database}-wal`)).toBe(false)
  })

  it('end with the npm that dev was started by, when that is killed', async () => {
    const env = { ...process.env, npm_lifecycle_event: 'macaroond' }
    const script = `"${process.execPath}" "${PROGRAM}" dev --dir "${folder}"; true`
    const npm = spawn('sh', ['-c', script], { env, stdio: 'ignore' })
    await until(() => existsSync(inFolder('cluster.json')))
    const cluster = JSON.parse(readFileSync(inFolder('cluster.json'), 'utf8')) as Dev['cluster']
    npm.kill('SIGKILL')
    await until(() => !pidsOf(cluster).some(runs) && !existsSync(inFolder('cluster.json')))
    expect(pidsOf(cluster).some(runs)).toBe(false)
  })

  it('say why they do not start, and leave none of them behind', async () => {
    const [fra] = dev.cluster.replicas
    const server = createServer()
    const port = Number(fra?.address.split(':')[1])
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    const { status, json } = await macaroond(['dev', '--dir', folder, '--json'])
    server.close()
    expect(json()).toMatchObject({ error: { code: 'port_in_use', message: expect.stringContaining('replica-fra') } })
    expect(status).toBe(1)
    const log = readFileSync(inFolder('primary.log'), 'utf8')
    const pids = [...log.matchAll(/"pid":(\d+)/g)].map((match) => Number(match[1]))
    expect([...new Set(pids)].some(runs)).toBe(false)
  })
})
