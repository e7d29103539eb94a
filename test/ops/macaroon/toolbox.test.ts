import { readFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { KEY_FILE_BYTES_MAX, OFFLINE_INPUT_BYTES_MAX } from '../../../shared/limits.ts'
import { KeyFolder, piped, toolbox } from './toolbox.ts'

const keys = new KeyFolder()
afterAll(() => keys[Symbol.dispose]())

const rootKey = keys.file('root.key', 'this is a different super-secret key; never use the same secret twice')
const caveatKey = keys.file('caveat.key', '4; guaranteed random by a fair toss of the dice\n')
const otherKey = keys.file('other.key', 'another')

const exact = (...predicates: string[]): string[] => predicates.flatMap((predicate) => ['--exact', predicate])
const verify = (stdin: string, ...more: string[]): ReturnType<typeof toolbox> =>
  toolbox(['verify', '--key-file', rootKey, '--json', ...more], stdin)
const verdict = async (stdin: string, ...more: string[]): Promise<readonly [number, unknown]> => {
  const { status, out } = await verify(stdin, ...more)
  return [status, (JSON.parse(out) as { reason: unknown }).reason]
}

const create = (...more: string[]): Promise<string> =>
  piped(['create', '--key-file', rootKey, '--identifier', 'we used our other secret key', ...more])
const discharge = (...more: string[]): Promise<string> =>
  piped(['create', '--key-file', caveatKey, '--identifier', 'ticket', ...more])
const withThirdParty = async (root: string): Promise<string> =>
  piped(['third-party', '--key-file', caveatKey, '--ticket', 'ticket', '--location', 'http://auth.mybank/'], root)

const vectors = JSON.parse(readFileSync(new URL('../../vectors/third_party.json', import.meta.url), 'utf8')) as {
  vectors: { root: Record<string, string>; discharge_bound: Record<string, string> }[]
}

describe('a macaroon made, narrowed and verified by the toolbox', () => {
  it.each(['v1', 'v2', 'v2j', 'text'])('keeps its format, %s, from one command to the next', async (format) => {
    const root = await create('--location', 'http://mybank/', '--format', format)
    const narrowed = await piped(['attenuate', '--caveat', 'account = 3735928559'], root)
    const bound = await piped(['bind'], `${await withThirdParty(narrowed)}\n${await discharge('--format', format)}`)
    const inspected = JSON.parse(await piped(['inspect', '--json'], bound)) as { macaroons: { format: string }[] }
    expect(inspected.macaroons.map((macaroon) => macaroon.format)).toEqual([format, format])
    expect(await verdict(bound, ...exact('account = 3735928559'))).toEqual([0, null])
  })

  it('is the one of the vectors, to the byte', async () => {
    const [{ root, discharge_bound: bound }] = vectors.vectors as [(typeof vectors.vectors)[0]]
    const made = await create('--location', 'http://mybank/', '--caveat', 'account = 3735928559')
    expect(JSON.parse(await piped(['inspect', '--json'], made))).toMatchObject({ location: 'http://mybank/' })
    for (const join of ['\n', '~', '\n\n']) {
      const bundle = `${root['v1_base64url_nopad']}${join}${bound['v2j']}`
      expect(await verdict(bundle, ...exact('account = 3735928559', 'time < 2020-01-01T00:00'))).toEqual([0, null])
    }
  })
})

describe('verify', () => {
  it('says on request what became of every caveat and discharge, with the same verdict', async () => {
    const root = await create('--caveat', 'account = 1', '--caveat', 'op = read')
    const bound = await piped(['bind'], `${await withThirdParty(root)}\n${await discharge('--caveat', 'op = write')}`)
    const refusing = await verify(bound, '--explain', ...exact('account = 1'))
    expect(refusing.status).toBe(3)
    expect(JSON.parse(refusing.out)).toMatchObject({
      reason: 'caveat_unknown',
      caveats: [
        { caveat: 'account = 1', outcome: 'cleared' },
        { caveat: 'op = read', outcome: 'refused', refusal: { reason: 'caveat_unknown' } },
        { outcome: 'refused', discharges: [{ index: 1, outcome: 'refused', caveats: [{ caveat: 'op = write' }] }] },
      ],
    })
    const given = exact('account = 1', 'op = read', 'op = write')
    const accepting = await toolbox(['verify', '--key-file', rootKey, '--explain', ...given], bound)
    expect(accepting).toMatchObject({
      status: 0,
      out: expect.stringMatching(/^accepted\n✓ account = 1\n/),
    })
    expect(accepting.out).toMatch(/^ {2}✓ discharge 1 serves it\n {4}✓ op = write$/m)
    expect(await verdict(bound, '--explain', '--key-file', otherKey)).toEqual([3, 'signature_wrong'])
  })

  it('clears what is given word by word, also a time that is over, and nothing else', async () => {
    const root = await create('--caveat', 'account = 1', '--caveat', 'time < 2020-01-01T00:00:00Z')
    expect(await verdict(root)).toEqual([3, 'caveat_unknown'])
    expect(await verdict(root, ...exact('account = 1'))).toEqual([3, 'caveat_refused'])
    expect(await verdict(root, ...exact('account = 1', 'time < 2020-01-01T00:00:00Z'))).toEqual([0, null])
    expect(await verdict(root, ...exact('account = 1 ', 'time < 2020-01-01T00:00:00Z'))).toEqual([3, 'caveat_unknown'])
  })

  it.each([
    [['time < 2999-01-01T00:00:00Z', 'note = for bob'], [], 0],
    [['op in read,write', 'path prefix /a/'], ['op=read', 'path=/a/b'], 0],
    [['op in read,write'], ['op=read', 'op=delete'], 3],
    [['app? = web'], [], 3],
    [['app? = web'], ['app=web'], 0],
    [['region = fra', 'org = acme', 'peer = 12D3'], ['region=fra', 'org=acme', 'peer=12D3'], 0],
    [['region = fra'], ['region=sin'], 3],
    [['staleness < 5s'], [], 3],
    [['constructor = x'], [], 3],
    [['whatever this means'], ['whatever=x'], 3],
  ])('judges %j for %j by the caveat language: exit %i', async (caveats, access, status) => {
    const root = await create(...caveats.flatMap((caveat) => ['--caveat', caveat]))
    expect((await verify(root, ...access.flatMap((pair) => ['--access', pair]))).status).toBe(status)
  })

  it('tells apart a wrong key, a missing discharge, an unbound one and a wrongly bound one', async () => {
    const root = await withThirdParty(await create())
    const narrowed = await piped(['attenuate', '--caveat', 'note = x'], root)
    const bundle = await piped(['bind'], `${root}\n${await discharge()}`)
    const [, bound = ''] = bundle.split('~')
    expect(await verdict(bundle)).toEqual([0, null])
    expect(await verdict(root)).toEqual([3, 'discharge_missing'])
    expect(await verdict(`${root}~${await discharge()}`)).toEqual([3, 'discharge_invalid'])
    expect(await verdict(`${narrowed}~${bound}`)).toEqual([3, 'discharge_invalid'])
    expect(await verdict(bound)).toEqual([3, 'signature_wrong'])
    const other = await toolbox(['verify', '--key-file', otherKey, '--json'], bundle)
    expect([other.status, other.out]).toEqual([3, expect.stringContaining('"signature_wrong"')])
  })

  it('ignores discharges that nothing needs', async () => {
    const bundle = await piped(['bind'], `${await withThirdParty(await create())}\n${await discharge()}`)
    expect(await verdict(`${bundle}~${await create()}`)).toEqual([0, null])
  })

  it.each([
    ['nothing', '', 'token_missing'],
    ['white space', ' \n\t\n', 'token_missing'],
    ['noise', 'nonsense!', 'token_base64'],
    ['a Fly token', 'fm2_lJPE', 'token_unsupported'],
    ['bytes that are not text', '\u{fffd}', 'token_base64'],
    ['an empty part', 'AgIA~', 'bundle_malformed'],
    ['too much', 'A'.repeat(OFFLINE_INPUT_BYTES_MAX + 1), 'token_too_large'],
    ['100 lines', 'AgIA\n'.repeat(100), 'token_too_large'],
    ['10,000 discharges', Array(10_000).fill('AgIA').join('~'), 'token_too_large'],
  ])('fails for %s on standard input, with its code', async (_, stdin, code) => {
    const { status, out } = await verify(stdin)
    expect(status).toBe(1)
    expect(JSON.parse(out)).toMatchObject({ ok: false, reason: code, error: { code } })
    const plain = await toolbox(['verify', '--key-file', rootKey], stdin)
    expect([plain.status, plain.out]).toEqual([1, ''])
    expect(plain.err).toContain(code)
  })

  it('fails for a malformed discharge, even if nothing needs it', async () => {
    const { status } = await verify(`${await create()}\n${(await discharge('--format', 'text')).slice(0, -1)}`)
    expect(status).toBe(1)
  })
})

describe('key files', () => {
  it('hold raw bytes, of which one newline at the end does not count', async () => {
    const plain = keys.file('plain', 'secret')
    const withNewline = keys.file('newline', 'secret\n')
    const withTwo = keys.file('two', 'secret\n\n')
    const root = await piped(['create', '--key-file', plain, '--identifier', 'i'])
    const statuses = await Promise.all(
      [plain, withNewline, withTwo].map(async (file) => (await toolbox(['verify', '--key-file', file], root)).status),
    )
    expect(statuses).toEqual([0, 0, 3])
  })

  it('may hold any bytes', async () => {
    const binary = keys.file('binary', Uint8Array.of(0, 255, 10, 10))
    const root = await piped(['create', '--key-file', binary, '--identifier', 'i'])
    expect((await toolbox(['verify', '--key-file', binary], root)).status).toBe(0)
  })

  it.each([
    ['an empty one', keys.file('empty', '\n'), 'key_malformed'],
    ['one that is too large', keys.file('large', 'x'.repeat(KEY_FILE_BYTES_MAX + 2)), 'key_malformed'],
    ['one that is not there', '/nonexistent/key', 'key_unreadable'],
  ])('are refused: %s', async (_, file, code) => {
    const { status, err } = await toolbox(['verify', '--key-file', file], await create())
    expect([status, err]).toEqual([1, expect.stringContaining(code)])
  })
})

describe('inspect', () => {
  it('shows every part, bytes as hex and as text where they are that', async () => {
    const root = await piped([
      'create',
      '--key-file',
      rootKey,
      '--identifier-hex',
      '00ff',
      '--location',
      'http://x/',
      '--caveat',
      'a = b',
      '--format',
      'v1',
    ])
    const binary = await piped(['attenuate', '--caveat-hex', 'fe'], root)
    expect(JSON.parse(await piped(['inspect', '--json'], await withThirdParty(binary)))).toEqual({
      format: 'v1',
      location: 'http://x/',
      identifier: { hex: '00ff' },
      caveats: [
        { cid: { hex: '61203d2062', text: 'a = b' } },
        { cid: { hex: 'fe' } },
        {
          cid: { hex: '7469636b6574', text: 'ticket' },
          vid: expect.stringMatching(/^[0-9a-f]{144}$/) as string,
          location: 'http://auth.mybank/',
        },
      ],
      signature: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    })
  })

  it('lets no control character of a macaroon reach the terminal', async () => {
    const root = await create('--caveat', 'a\u001b[2J\nsignature  forged', '--location', '\u202e')
    const out = await piped(['inspect'], root)
    for (const char of ['\u001b', '\u202e']) expect(out).not.toContain(char)
    expect(out.match(/^signature/gm)).toHaveLength(1)
  })

  it('reads JSON that is spread over lines', async () => {
    const json = JSON.stringify(JSON.parse(await create('--caveat', 'a = b', '--format', 'v2j')), null, 2)
    expect(JSON.parse(await piped(['inspect', '--json'], json))).toMatchObject({ format: 'v2j' })
  })
})

describe('convert', () => {
  it('changes the format of every macaroon and nothing else, line by line', async () => {
    const lines = [await create('--caveat', 'a = b'), `${await create('--format', 'v1')}~${await discharge()}`]
    let text = lines.join('\n')
    const before = JSON.parse(await piped(['inspect', '--json'], text)) as object
    for (const format of ['v1', 'v2j', 'text', 'v2']) {
      text = await piped(['convert', '--format', format], text)
      expect(text.split('\n').map((line) => line.split('~').length)).toEqual([1, 2])
    }
    const after = JSON.parse(await piped(['inspect', '--json'], text)) as { macaroons: object[] }
    const unformatted = JSON.parse(JSON.stringify(before).replaceAll('"v1"', '"v2"')) as object
    expect(after).toEqual(unformatted)
  })

  it('takes the largest macaroons of others, and refuses what V1 cannot hold', async () => {
    const json = (cid: string): string =>
      JSON.stringify({ v: 2, i: 'i', c: [{ i: cid }], s64: Buffer.alloc(32).toString('base64url') })
    expect(await piped(['convert', '--format', 'v1'], json('x'.repeat(65_526)))).toMatch(/^MD/)
    const { status, err } = await toolbox(['convert', '--format', 'v1'], json('x'.repeat(65_527)))
    expect([status, err]).toEqual([1, expect.stringContaining('token_too_large')])
  })
})

describe('commands that change a macaroon', () => {
  it('take one alone, because a bound discharge does not survive a change of its root', async () => {
    const bundle = await piped(['bind'], `${await withThirdParty(await create())}\n${await discharge()}`)
    for (const args of [
      ['attenuate', '--caveat', 'a = b'],
      ['third-party', '--key-file', caveatKey, '--ticket', 't'],
    ]) {
      const { status, err } = await toolbox(args, bundle)
      expect([status, err]).toEqual([1, expect.stringContaining('bind')])
    }
  })

  it('need a discharge to bind', async () => {
    const { status, err } = await toolbox(['bind'], await create())
    expect([status, err]).toEqual([1, expect.stringContaining('bundle_malformed')])
  })
})
