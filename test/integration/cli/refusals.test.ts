/** Commands that a cluster of `macaroond dev` refuses: each reports a code, a hint and the right status. */
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { commandLine, macaroond, until } from './command.ts'
import { DevFolder } from './dev-folder.ts'

const here = DevFolder.forThisFile()

beforeAll(async () => {
  expect((await here.operator(['org', 'create', 'acme'])).status).toBe(0)
})

describe('a command that cannot be carried out reports a code, a hint and the right status:', () => {
  const primaryToml = (name: string, change: (text: string) => string): string =>
    here.variant(name, 'primary.toml', change)
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
      profile: () => here.variant('bad-profile.toml', 'operator.toml', (text) => text.replace('identity', 'identiti')),
      code: 'config_invalid',
      status: 2,
      says: /identiti.*did you mean \\"identity\\"/,
    },
    {
      what: 'an identity that others can read',
      args: () => ['org', 'list'],
      profile: () => {
        copyFileSync(here.file('operator.key'), here.file('open.key'))
        chmodSync(here.file('open.key'), 0o644)
        return here.variant('open.toml', 'operator.toml', (text) => text.replace('operator.key', 'open.key'))
      },
      code: 'key_permissions',
      status: 1,
      says: /chmod 600/,
    },
    {
      what: 'the same, found by config check before anything is started',
      args: () => {
        copyFileSync(here.file('kek'), here.file('open-kek'))
        chmodSync(here.file('open-kek'), 0o644)
        const file = primaryToml('open-kek.toml', (text) => text.replace('"kek"', '"open-kek"'))
        return ['config', 'check', file]
      },
      code: 'key_permissions',
      status: 1,
      says: /chmod 600/,
    },
    {
      what: 'a configuration that every user may write, which could name a program to run',
      args: () => {
        const file = primaryToml('anybodys.toml', (text) => `# ours\n${text}`)
        chmodSync(file, 0o666)
        return ['primary', '--config', file]
      },
      code: 'file_untrusted',
      status: 1,
      says: /every user of this machine may write .*chmod o-w/,
    },
    {
      what: 'an identity that is not there',
      args: () => ['org', 'list'],
      profile: () =>
        here.variant('no-key.toml', 'operator.toml', (text) => text.replace('operator.key', 'nowhere.key')),
      code: 'key_unreadable',
      status: 1,
      says: /keygen/,
    },
    {
      what: 'a profile that is not there',
      args: () => ['org', 'list'],
      profile: () => here.file('nowhere.toml'),
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
      args: () => ['primary', '--config', here.file('primary.toml')],
      code: 'already_running',
      status: 5,
      says: /never share/,
    },
    {
      what: 'a primary that is not the pinned one',
      args: () => mint,
      profile: () => {
        const { primary, replicas } = here.dev.cluster
        const other = replicas[0]?.peerId ?? ''
        return here.variant('pin.toml', 'operator.toml', (text) => text.replace(primary.peerId, other))
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
      says: /key op value.*one of = in prefix < <= > >=/,
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
      args: () => ['keygen', '--out', here.file('operator.key')],
      code: 'key_exists',
      status: 5,
      says: /not overwritten/,
    },
    {
      what: 'a second dev on the same folder',
      args: () => ['dev', '--dir', here.path],
      code: 'already_running',
      status: 5,
      says: /another process/,
    },
    {
      what: 'a folder for dev that cannot be one',
      args: () => ['dev', '--dir', here.file('kek/cluster')],
      code: 'io_failed',
      status: 1,
      says: /--dir/,
    },
  ]

  it.concurrent.each(cases)('$what', async ({ args, profile: other, stdin = '', code, status, says }) => {
    const words = args()
    // What runs nodes ends its process; everything else is quicker without one.
    const start = ['primary', 'dev'].includes(words[0] ?? '') ? macaroond : commandLine
    const outcome = await start([...words, '--json'], { profile: other?.() ?? here.profile, stdin })
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
  ])('a text that is no token is a refusal, not an error (%#)', async (stdin, reason) => {
    const { status, json } = await here.operator([...verify, '--json'], stdin)
    expect(json()).toMatchObject({ ok: false, reason, region: 'fra' })
    expect(status).toBe(3)
  })
})

describe('a role', () => {
  it('that is missing gives a clear refusal: nobody else mints, and a worker cannot mint either', async () => {
    const { peerId } = (await commandLine(['keygen', '--out', here.file('another.key'), '--json'])).json<{
      peerId: string
    }>()
    const worker = here.variant('another.toml', 'operator.toml', (text) => text.replace('operator.key', 'another.key'))
    const mint = ['token', 'mint', '--org', 'acme', '--subject', 'x', '--json']
    const stranger = await commandLine(mint, { profile: worker })
    expect(stranger.json()).toMatchObject({ error: { code: 'peer_refused', message: expect.stringContaining(peerId) } })
    const { primary } = here.dev.cluster
    const entry = `\n[[peers]]\nid = "${peerId}"\nname = "w"\nrole = "worker"\n`
    writeFileSync(primary.config, readFileSync(primary.config, 'utf8') + entry)
    process.kill(primary.pid, 'SIGHUP')
    await until(() => readFileSync(here.file('primary.log'), 'utf8').includes('configuration reloaded'))
    const refused = await commandLine(mint, { profile: worker })
    expect(refused.json()).toMatchObject({ error: { code: 'peer_refused', message: 'a worker may not open sign' } })
    const { hint } = refused.json<{ error: { hint: string } }>().error
    expect(hint).toBe(
      `this call needs the identity of a signer or an operator, and this is that of a worker: use another profile; the profile in use is ${worker}`,
    )
    const status = await commandLine(['status', '--json'], { profile: worker })
    expect(status.json()).toMatchObject({
      error: { code: 'peer_refused', hint: expect.stringMatching(/^this call needs the identity of an operator/) },
    })
    expect([stranger.status, refused.status]).toEqual([3, 3])
  })
})
