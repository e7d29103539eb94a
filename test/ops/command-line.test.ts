import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { program, run } from '../../ops/command-line.ts'
import { Terminal } from '../../ops/terminal.ts'
import { attenuate, createMacaroon } from '../../shared/macaroon/attenuate.ts'
import { decodeTokenText, encodeTokenText } from '../../shared/macaroon/text.ts'
import { encodeIdentifier } from '../../shared/macaroon/identifier.ts'
import { kid, nonce } from '../../shared/ids.ts'
import { capture, type CaptureOptions } from './streams.ts'

function tokenFor(subject: string): string {
  const id = { kid: kid('00112233445566ff'), nonce: nonce('019a00000000700080000000000000aa') }
  const identifier = encodeIdentifier({ ...id, expiresAt: 1_800_000_000, ancestors: [], subject })
  return encodeTokenText(createMacaroon({ secret: Buffer.alloc(32, 7), identifier }))
}

const TOKEN = tokenFor('alice')

interface Ran {
  readonly status: number
  readonly out: string
  readonly err: string
}

async function ran(args: readonly string[], options: CaptureOptions = {}): Promise<Ran> {
  const streams = capture(options)
  const status = await run(args, streams)
  await new Promise((resolve) => setImmediate(resolve))
  return { status, out: streams.out(), err: streams.err() }
}

function leaves(command: Command): readonly Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves)
}

describe('usage errors', () => {
  it.each([
    [['tokn'], "unknown command 'tokn'", 'token'],
    [['token', 'mnt'], "unknown command 'mnt'", 'mint'],
    [['token', 'mint', '--organisation', 'a'], "unknown option '--organisation'", 'help'],
    [['token', 'mint', '--sbject', 'a', '--org', 'b'], "unknown option '--sbject'", '--subject'],
    [['token', 'mint', '--org', 'acme'], "required option '--subject", 'help'],
    [['org', 'create'], "missing required argument 'name'", 'help'],
    [['keygen', '--out', 'a', 'b'], 'too many arguments', 'help'],
    [[], 'a command is missing', '--help'],
    [['token'], 'a command is missing', '--help'],
    [['revoke'], 'exactly one of a token, an id and an org', '--token -'],
    [['revoke', '--id', 'a.b', '--token', '-'], 'exactly one of a token, an id and an org', '--token -'],
    [['revoke', '--id', 'a.b', '--org', 'acme'], 'exactly one of a token, an id and an org', '--token -'],
    [['revoke', '--id', 'a.b', '--subject', 'alice'], '--subject and --before go with --org', 'revoked permanently'],
    [['revoke', '--token', '-', '--before', '2026-01-01T00:00:00Z'], 'go with --org', 'revoked permanently'],
    [['revocations', 'show'], 'exactly one of a number, a token, an id and an org', '--token -'],
    [['revocations', 'show', '--seq', '0'], '--seq is a whole number', ''],
    [['revocations', 'show', '--id', 'a.b', '--subject', 'x'], '--subject goes with --org', ''],
    [['revocations', 'show', '--token', TOKEN], 'not given as an argument', '--token -'],
    [['org', 'retire-key'], "missing required argument 'name'", 'help'],
    [['org', 'disable', 'acme', '--wait', 'globl'], 'local, durable or global', 'did you mean global?'],
    [['revoke', '--id', 'nonsense'], 'not a token id', '<kid>.<nonce>'],
    [['token', 'show', 'nonsense'], 'not a token id', '<kid>.<nonce>'],
    [['token', 'show', TOKEN], 'not given as an argument', 'token show -'],
    [['token', 'list'], "required option '--org", 'help'],
    [['token', 'list', '--org', 'acme', '--since', 'soon'], '--since is not a point in time', '2026-11-01'],
    [['token', 'list', '--org', 'acme', '--since', '2100-01-01T00:00:00Z'], '--since is in the future', 'clock says'],
    [['audit', 'list', '--after', '-1'], '--after is a whole number', ''],
    [['audit', 'list', '--follow', '--limit', '1'], '--limit does not go with --follow', 'Ctrl-C'],
    [['completion', 'fishh'], 'completion is for bash, zsh, fish', 'fish?'],
    [['revoke', '--id', 'a.b', '--wait', 'globl'], 'local, durable or global', 'did you mean global?'],
    [['revoke', '--id', 'a.b', '--wait', 'durible'], '--wait is local, durable or global', 'durable?'],
    [['revoke', '--token', TOKEN], 'not given as an argument', '--token -'],
    [['token', 'attenuate'], 'nothing to add', '--caveat'],
    [['token', 'attenuate', '--ttl', '0'], 'never expires', '--ttl'],
    [['token', 'attenuate', '--caveat', 'nonsense'], 'not a predicate', 'key op value'],
    [['token', 'mint', '--org', 'a', '--subject', 'b', '--ttl', 'soon'], 'not a time to live', '24h'],
    [['token', 'inspect'], 'no token on standard input', 'pipe'],
    [['dev', '--regions', 'fra,FRA'], 'not a region', '--regions'],
    [['dev', '--regions', 'fra,fra'], 'named twice', '--regions'],
    [['revocations', 'list', '--limit', '0'], '--limit', ''],
    [['config', 'check', 'x.toml', '--kind', 'replca'], '--kind is one of', 'replica?'],
    [['macaroon'], 'a command is missing', '--help'],
    [['macaroon', 'convert', '--format', 'v2k'], '--format is one of', 'v2?'],
    [['macaroon', 'create', '--key-file', 'x'], 'one identifier', '--identifier-hex'],
    [['macaroon', 'third-party', '--key-file', 'x', '--ticket', 'a', '--ticket-hex', '00'], 'one ticket', '--ticket'],
    [['macaroon', 'attenuate'], 'nothing to add', '--caveat'],
    [['macaroon', 'attenuate', '--caveat-hex', '0'], 'hex digits', '00ff20'],
    [['macaroon', 'verify', '--key-file', 'x', '--access', 'op'], 'not key=value', 'op=read'],
    [['macaroon', 'verify', '--key-file', 'x', '--access', 'time=1'], 'stated by the verifying node', 'op=read'],
    [['macaroon', 'verify'], "required option '--key-file", 'help'],
    [['status'], 'no profile names one', 'MACAROOND_PROFILE'],
  ])('%j is reported with a hint, as text and as JSON', async (args, message, hint) => {
    const plain = await ran(args)
    expect(plain).toMatchObject({ status: 2, out: '' })
    expect(plain.err).toContain(message)
    expect(plain.err).toContain(hint)
    const json = await ran([...args, '--json'])
    expect(json.status).toBe(2)
    const { error } = JSON.parse(json.out) as { error: { code: string; message: string } }
    expect(error.message).toContain(message)
    expect(['usage', 'request_invalid', 'caveat_malformed']).toContain(error.code)
  })

  it('never repeat the token that was given by mistake', async () => {
    const { err } = await ran(['revoke', '--token', TOKEN])
    expect(err).not.toContain(TOKEN.slice(0, 20))
  })
})

describe('help', async () => {
  const commands = leaves(await program(new Terminal(capture(), false), []))

  it('knows every command', () => {
    const names = commands.map((command) => `${command.parent?.name()} ${command.name()}`)
    expect(names).toEqual([
      'macaroond tour',
      'macaroond init',
      'macaroond dev',
      'macaroond primary',
      'macaroond replica',
      'peers add',
      'macaroond keygen',
      'org create',
      'org list',
      'org rotate-key',
      'org retire-key',
      'org disable',
      'token mint',
      'token verify',
      'token list',
      'token show',
      'token revoke',
      'token attenuate',
      'token inspect',
      'token discharge',
      'token exchange',
      'third-party add',
      'third-party list',
      'third-party remove',
      'macaroond revoke',
      'revocations list',
      'revocations show',
      'revocations pending',
      'revocations adopt',
      'revocations forget',
      'kek generate',
      'kek rotate',
      'macaroon create',
      'macaroon attenuate',
      'macaroon third-party',
      'macaroon bind',
      'macaroon inspect',
      'macaroon verify',
      'macaroon convert',
      'macaroond status',
      'archive list',
      'archive verify',
      'archive repair',
      'archive drill',
      'archive snapshot',
      'archive compact',
      'archive key',
      'archive rehearse',
      'audit list',
      'audit verify',
      'macaroond whoami',
      'macaroond reload',
      'macaroond restore',
      'macaroond repair',
      'macaroond doctor',
      'config check',
      'config print',
      'macaroond version',
      'macaroond completion',
    ])
  })

  it('shows examples and the JSON of every command, and the options that all have', async () => {
    const texts = await Promise.all(
      commands.map((command) => {
        const group = command.parent?.name() === 'macaroond' ? [] : [command.parent?.name() ?? '']
        return ran([...group, command.name(), '--help'])
      }),
    )
    for (const { status, out, err } of texts) {
      expect({ status, err }).toEqual({ status: 0, err: '' })
      for (const part of ['Examples:', 'With --json:', '--json', '--profile']) expect(out).toContain(part)
    }
  })

  it('goes to stdout when asked for, and the version too', async () => {
    expect((await ran(['--help'])).out).toContain('Usage: macaroond')
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
    expect(await ran(['--version'])).toEqual({ status: 0, out: `${version}\n`, err: '' })
  })
})

describe('token attenuate', () => {
  it('adds caveats and an end, in this order, and prints the bare token', async () => {
    const args = ['token', 'attenuate', '--caveat', 'op = read', '--caveat', 'note = for bob', '--ttl', '5m']
    const { status, out, err } = await ran(args, { stdin: `${TOKEN}\n` })
    expect({ status, err }).toEqual({ status: 0, err: expect.stringMatching(/^expires at 20[\dT:-]+Z\n$/) })
    const caveats = decodeTokenText(out.trim()).caveats.map(({ cid }) => Buffer.from(cid).toString())
    expect(caveats.slice(0, 2)).toEqual(['op = read', 'note = for bob'])
    const endsIn = Number(/^time < (\d+)$/.exec(caveats[2] ?? '')?.[1]) - Date.now() / 1000
    expect(endsIn).toBeGreaterThan(290)
    expect(endsIn).toBeLessThanOrEqual(300)
  })

  it.each([
    ['', 'usage', 2],
    ['   \n', 'usage', 2],
    ['hello', 'token_base64', 1],
    [TOKEN.slice(0, 40), 'token_truncated', 1],
    [TOKEN.replace(/.(?=\.)/, (last) => (last === 'A' ? 'B' : 'A')), 'token_damaged', 1],
    ['A'.repeat(1_000_000), 'token_too_large', 1],
  ])('names what is wrong with its input (%#)', async (stdin, code, status) => {
    const { out, ...rest } = await ran(['token', 'attenuate', '--caveat', 'op = read', '--json'], { stdin })
    expect(rest).toEqual({ status, err: '' })
    expect(JSON.parse(out)).toMatchObject({ error: { code } })
  })
})

describe('token inspect', () => {
  it('shows what the token says, and neither its org nor its signature', async () => {
    const { out } = await ran(['token', 'inspect', '--json'], { stdin: TOKEN })
    expect(JSON.parse(out)).toEqual({
      id: '00112233445566ff.019a00000000700080000000000000aa',
      org: null,
      subject: 'alice',
      issuedAt: Math.floor(0x019a00000000 / 1000),
      expiresAt: 1_800_000_000,
      ancestors: [],
      caveats: [],
      discharges: 0,
      verified: false,
    })
    const { signature } = decodeTokenText(TOKEN)
    for (const form of ['hex', 'base64', 'base64url'] as const) {
      expect(out).not.toContain(Buffer.from(signature).toString(form).slice(0, 20))
    }
  })

  it('does not let a token write on the terminal', async () => {
    const { out } = await ran(['token', 'inspect'], { stdin: tokenFor('\u001b[2Jmallory') })
    expect(out).toContain('\\u{1b}[2Jmallory')
    expect(out).not.toContain('\u001b')
  })

  it('does not let a caveat pose as lines of its own', async () => {
    const token = encodeTokenText(attenuate(decodeTokenText(TOKEN), ['x = 1\nverified   yes\nsubject    root']))
    const { out } = await ran(['token', 'inspect'], { stdin: token })
    expect(out).toContain('x = 1\\u{a}verified   yes\\u{a}subject    root')
    expect(out.match(/^(verified|subject)/gm)).toEqual(['subject'])
  })
})
