/** `macaroond macaroon`, as processes joined by pipes: how a script uses it. */
import { afterAll, describe, expect, it } from 'vitest'
import { KeyFolder } from '../../ops/macaroon/toolbox.ts'
import { macaroond, type Ran } from '../cli/command.ts'

const keys = new KeyFolder()
afterAll(() => keys[Symbol.dispose]())

const rootKey = keys.file('root.key', 'root secret\n')
const caveatKey = keys.file('caveat.key', 'caveat secret\n')

const toolbox = (args: readonly string[], stdin = ''): Promise<Ran> => macaroond(['macaroon', ...args], { stdin })

async function piped(args: readonly string[], stdin = ''): Promise<string> {
  const { status, stdout, stderr } = await toolbox(args, stdin)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return stdout
}

describe('the toolbox on a command line', () => {
  it('makes, narrows, has discharged, binds, converts and verifies a macaroon', async () => {
    const root = await piped(['create', '--key-file', rootKey, '--identifier', 'id', '--format', 'v1'])
    const narrowed = await piped(['attenuate', '--caveat', 'op = read'], root)
    const asking = await piped(['third-party', '--key-file', caveatKey, '--ticket', 't', '--location', 'l'], narrowed)
    const discharge = await piped(['create', '--key-file', caveatKey, '--identifier', 't', '--format', 'text'])
    const bundle = await piped(['bind'], asking + discharge)
    for (const format of ['v1', 'v2', 'v2j', 'text']) {
      const converted = await piped(['convert', '--format', format], bundle)
      const verified = await toolbox(['verify', '--key-file', rootKey, '--exact', 'op = read', '--json'], converted)
      expect([verified.status, verified.json()]).toEqual([0, { ok: true, reason: null }])
    }
    const refused = await toolbox(['verify', '--key-file', rootKey, '--json'], bundle)
    expect([refused.status, refused.json()]).toEqual([
      3,
      expect.objectContaining({ ok: false, reason: 'caveat_unknown' }),
    ])
  })

  it('fails with 1 for nothing and for a megabyte on standard input', async () => {
    const verify = ['verify', '--key-file', rootKey, '--json']
    for (const [stdin, code] of [
      ['', 'token_missing'],
      ['A'.repeat(2 ** 20 + 1), 'token_too_large'],
    ] as const) {
      const { status, json } = await toolbox(verify, stdin)
      expect([status, json()]).toEqual([1, expect.objectContaining({ ok: false, reason: code })])
    }
  })
})
