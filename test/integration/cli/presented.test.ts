/** `third-party`, `token discharge` and `token exchange`, from standard input to standard output. */
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { systemEntropy } from '../../../shared/clock.ts'
import {
  createDischarger,
  createMacaroon,
  decodeBundle,
  decodeTokenText,
  encodeTokenText,
  nodeListener,
  requireDischarge,
} from '../../../shared/library.ts'
import { Cluster } from '../cluster/harness.ts'
import { commandLine, type Ran } from './command.ts'

const LOGIN_KEY = { sharedKey: Buffer.alloc(32, 3) }
const STORE = { secret: Buffer.from('store'), identifier: 'orchestrator' }

interface Operator {
  readonly cluster: Cluster
  readonly run: (args: readonly string[], stdin?: string) => Promise<Ran>
  readonly file: (name: string, content: string) => string
}

async function operator(): Promise<Operator> {
  const cluster = await Cluster.start()
  const profile = await cluster.profile()
  const file = (name: string, content: string): string => {
    writeFileSync(join(cluster.folder, name), content, { mode: 0o600 })
    return join(cluster.folder, name)
  }
  return { cluster, file, run: (args, stdin = '') => commandLine(args, { profile, stdin }) }
}

/** A login service with real HTTP, which gives a discharge to whoever says the word. */
async function loginService(): Promise<{ readonly location: string; readonly host: string }> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const location = `http://${host}`
  const discharger = createDischarger({
    location,
    keys: [LOGIN_KEY],
    check: (_, request) =>
      request.headers.get('authorization') === 'Bearer open sesame' ? { caveats: [] } : { refused: 'who are you?' },
  })
  server.on('request', nodeListener(discharger.handle))
  return { location, host }
}

test('an orchestrator’s token is discharged on the word of a tenant’s token, in a pipe', async () => {
  const { run, file } = await operator()
  await run(['org', 'create', 'acme'])
  const added = (await run(['third-party', 'add', 'secret-store', '--json'])).json<Record<string, string>>()
  expect(added).toMatchObject({ name: 'secret-store', location: 'macaroond://test/secret-store', unrevoked: false })
  const recipient = { publicKey: Buffer.from(added['publicKey'] ?? '', 'hex') }
  const needed = { location: added['location'] ?? '', condition: 'may op=read', recipient }
  const orchestrator = encodeTokenText(requireDischarge(createMacaroon(STORE), needed, systemEntropy))
  const tenant = (await run(['token', 'mint', '--org', 'acme', '--subject', 'alice'])).stdout
  const presented = ['--presented', file('tenant.txt', tenant)]
  const discharged = await run(['token', 'discharge', ...presented, '--json'], orchestrator)
  expect(discharged.json()).toMatchObject({ bundle: expect.stringMatching(/^mcn1_.*~mcn1_/), discharges: 1 })

  const withoutAny = await run(['token', 'discharge', '--json'], orchestrator)
  expect([withoutAny.json(), withoutAny.status]).toMatchObject([{ error: { code: 'usage' } }, 2])
  const wrong = file('wrong.txt', 'mcn1_AAAA.00000000')
  const refused = await run(['token', 'discharge', '--presented', wrong, '--json'], orchestrator)
  expect(refused.json<{ error: { code: string } }>().error.code).toMatch(/^token_/)

  const { thirdParties } = (await run(['third-party', 'list', '--json'])).json<{ thirdParties: unknown[] }>()
  expect(thirdParties).toMatchObject([{ name: 'secret-store', publicKey: added['publicKey'] }])
  expect((await run(['third-party', 'remove', 'secret-store'])).status).toBe(0)
  const gone = await run(['token', 'discharge', ...presented, '--json'], orchestrator)
  expect([gone.json(), gone.status]).toMatchObject([{ error: { code: 'ticket_invalid' } }, 1])
  expect((await run(['third-party', 'remove', 'secret-store', '--json'])).json()).toMatchObject({
    error: { code: 'third_party_missing' },
  })
})

test('a login is discharged over HTTP and exchanged for a service token, in a pipe', async () => {
  const { run, file } = await operator()
  const { location, host } = await loginService()
  await run(['org', 'create', 'acme'])
  const minted = (await run(['token', 'mint', '--org', 'acme', '--subject', 'alice', '--caveat', 'op = read'])).stdout
  const needed = { location, condition: 'logged in', recipient: LOGIN_KEY }
  const root = encodeTokenText(requireDischarge(decodeTokenText(minted.trim()), needed, systemEntropy))
  const credential = ['--credential', `${host}=${file('login.secret', 'Bearer open sesame\n')}`]
  const bundle = await run(['token', 'discharge', ...credential], root)
  expect(decodeBundle(bundle.stdout.trim())).toHaveLength(2)
  expect(bundle.stderr).toContain('with 1 discharge')
  const inspected = (await run(['token', 'inspect', '--json'], bundle.stdout)).json()
  const caveats = ['op = read', { thirdParty: location, ticket: expect.stringMatching(/^[\w-]+$/) }]
  expect(inspected).toMatchObject({ discharges: 1, caveats })

  // A location says whatever a holder writes: the login that was put in is named by its ticket.
  const [, login] = inspected['caveats'] as readonly { readonly ticket: string }[]
  const unpinned = ['token', 'exchange', '--strip', location, '--id', String(inspected['id']), '--json']
  const exchange = [...unpinned, '--ttl', '1h', '--ticket', login?.ticket ?? '']
  const exchanged = (await run(exchange, bundle.stdout)).json()
  expect(exchanged).toMatchObject({ subject: 'alice', org: 'acme', stripped: location })
  expect(exchanged['ancestors']).toEqual([inspected['id']])
  const verify = ['token', 'verify', '--org', 'acme', '--min-position', String(exchanged['position']), '--json']
  const service = String(exchanged['token'])
  expect((await run([...verify, '--access', 'op=read'], service)).json()).toMatchObject({ ok: true })
  expect((await run([...verify, '--access', 'op=write'], service)).json()).toMatchObject({ reason: 'caveat_refused' })

  const unnamed = await run(unpinned, bundle.stdout)
  expect([unnamed.json(), unnamed.status]).toMatchObject([{ error: { code: 'usage' } }, 2])
  const other = await run([...unpinned, '--ticket', 'AAAA'], bundle.stdout)
  expect([other.json(), other.status]).toMatchObject([{ error: { code: 'token_refused' } }, 3])

  const wrong = ['--credential', `${host}=${file('wrong.secret', 'Bearer let me in')}`]
  const refused = await run(['token', 'discharge', ...wrong, '--json'], root)
  expect([refused.json(), refused.status]).toMatchObject([{ error: { code: 'discharge_refused' } }, 3])
  const undischarged = await run(exchange, root)
  expect([undischarged.json(), undischarged.status]).toMatchObject([{ error: { code: 'token_refused' } }, 3])
  const tooLong = await run([...exchange, '--ttl', '91d'], bundle.stdout)
  expect([tooLong.json(), tooLong.status]).toMatchObject([{ error: { code: 'request_invalid' } }, 2])
})

test.each([
  ['a credential on the command line itself', ['--credential', 'login.example'], 'usage', 2],
  ['a file that is not there', ['--presented', '/nowhere/at-all'], 'key_unreadable', 1],
])('%s is refused', async (_, args, code, status) => {
  const token = encodeTokenText(createMacaroon(STORE))
  const ran = await commandLine(['token', 'discharge', ...args, '--json'], { stdin: token })
  expect([ran.json(), ran.status]).toMatchObject([{ error: { code } }, status])
})

test('an explanation lists every check, caveat and discharge, with the plain verdict', async () => {
  const { run } = await operator()
  await run(['org', 'create', 'acme'])
  const mint = ['token', 'mint', '--org', 'acme', '--subject', 'alice', '--caveat', 'op = read', '--caveat', 'note = n']
  const minted = (await run([...mint, '--json'])).json<Record<string, string>>()
  const [token = '', position = ''] = [minted['token'], minted['position']]
  const verify = ['token', 'verify', '--org', 'acme', '--min-position', position]
  expect((await run([...verify, '--access', 'op=read'], token)).status).toBe(0)
  const explained = await run([...verify, '--access', 'op=write', '--explain', '--json'], token)
  expect([explained.status, explained.json()]).toMatchObject([
    3,
    {
      verdict: { ok: false, reason: 'caveat_refused', caveat: 'op = read' },
      token: { id: minted['id'], subject: 'alice', org: 'acme' },
      caveats: [
        { caveat: 'op = read', outcome: 'refused' },
        { caveat: 'note = n', outcome: 'cleared' },
      ],
      judged: { region: 'fra' },
    },
  ])
  const told = (await run([...verify, '--access', 'op=read', '--explain'], token)).stdout
  for (const line of ['✓ signature', '✓ standing', '✓ op = read', '✓ note = n', 'accepted: '])
    expect(told).toContain(line)
})
