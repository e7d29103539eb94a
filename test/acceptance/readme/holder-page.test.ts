/** docs/holder.md: its code runs, does what the page says, and type-checks where nothing of Node is known. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemEntropy } from '../../../shared/clock.ts'
import { kid, nonce } from '../../../shared/ids.ts'
import { createMacaroon } from '../../../shared/macaroon/attenuate.ts'
import { decodeBundle } from '../../../shared/macaroon/bundle.ts'
import { encodeIdentifier } from '../../../shared/macaroon/identifier.ts'
import { encodeTokenText } from '../../../shared/macaroon/text.ts'
import { addThirdPartyCaveat, createDischarge } from '../../../shared/macaroon/third-party.ts'
import { judgeAccess, verifyWithKey } from '../../../shared/verifier/with-key.ts'
import { blocksOf } from './blocks.ts'

const root = join(import.meta.dirname, '../../..')
const page = readFileSync(join(root, 'docs/holder.md'), 'utf8')
const blocks = new Map(blocksOf(page).map(({ file, code }) => [file, code]))
const rootKey = { derivedKey: new Uint8Array(32).fill(9) }
const identifier = encodeIdentifier({
  kid: kid('00000000000000a1'),
  nonce: nonce('0198c0ffee007abc8def0123456789ab'),
  expiresAt: 1_900_000_000,
  ancestors: [],
  subject: 'alice',
})
const minted = createMacaroon({ ...rootKey, identifier })
const NOW_MS = Date.parse('2026-12-01T12:00:00Z')

let folder = ''

async function moduleOf(name: string): Promise<Readonly<Record<string, (...args: readonly unknown[]) => string>>> {
  return (await import(pathToFileURL(join(folder, `${name}.ts`)).href)) as Awaited<ReturnType<typeof moduleOf>>
}

function allows(text: string, path: string, atMs: number): boolean {
  const judge = judgeAccess({ op: 'read', path }, { nowEarliestMs: atMs, nowLatestMs: atMs })
  return !('ok' in judge) && verifyWithKey({ bundle: decodeBundle(text), rootKey, judge }).ok
}

describe('docs/holder.md', () => {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'macaroond-holder-'))
    // The entry is a file of this checkout.
    const entry = join(root, 'shared/holder/holder.ts')
    for (const [file, code] of blocks) {
      writeFileSync(join(folder, file), code.replace("from 'macaroond/holder'", `from '${entry}'`))
    }
  })

  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('has no block that this suite does not run', () => {
    expect([...blocks.keys()].toSorted()).toEqual(['inspect.ts', 'narrow.ts', 'send.ts'])
  })

  test('narrows a token to one album and one hour', async () => {
    const { albumToken } = await moduleOf('narrow')
    const narrow = albumToken?.(encodeTokenText(minted), '42', NOW_MS) ?? ''
    const later = NOW_MS + 3_600_000
    const asked = [
      allows(narrow, '/albums/42/a.jpg', NOW_MS),
      allows(narrow, '/albums/43/a.jpg', NOW_MS),
      allows(narrow, '/albums/42/a.jpg', later),
    ]
    expect(asked).toEqual([true, false, false])
  })

  test('describes a token, and a text that is none', async () => {
    const { describeToken } = await moduleOf('inspect')
    const text = encodeTokenText(minted)
    expect(describeToken?.(text)).toBe('alice, expires 2030-03-17T17:46:40.000Z, 0 caveats')
    expect(describeToken?.(text.slice(0, 30))).toMatch(/^token_truncated: .*copy the whole token/)
  })

  test('sends a token with a discharge that its verifier accepts', async () => {
    const { authorization } = await moduleOf('send')
    const login = { caveatKey: new Uint8Array(32).fill(1), ticket: 'a ticket', location: 'https://login.example' }
    const token = encodeTokenText(addThirdPartyCaveat(minted, login, systemEntropy))
    const header = authorization?.(token, [encodeTokenText(createDischarge(login))]) ?? ''
    expect(header).toMatch(/^Bearer mcn1_[\w-]+\.[0-9a-f]{8}~mcn1_/)
    expect(allows(header.slice('Bearer '.length), '/', NOW_MS)).toBe(true)
    expect(allows(token, '/', NOW_MS)).toBe(false)
  })

  test('type-checks strictly, with all that it loads, where no types of Node are', async () => {
    const compilerOptions = {
      module: 'nodenext',
      target: 'es2024',
      lib: ['es2024', 'dom'],
      types: [],
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      allowImportingTsExtensions: true,
      noEmit: true,
    }
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }))
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const checked = promisify(execFile)(process.execPath, [tsc, '-p', folder]).then(
      () => '',
      ({ stdout }: { readonly stdout: string }) => stdout,
    )
    expect(await checked).toBe('')
  })
})
