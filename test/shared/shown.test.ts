/** Which paths and names a message shows, and that no key which was given in place of one gets into it. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parseAuthorityKey } from '../../ops/arguments/authority-key.ts'
import { readKeyFile } from '../../ops/commands/macaroon-input.ts'
import { createSigner } from '../../primary/signer/sdk.ts'
import { createVerifier } from '../../replica/worker/sdk.ts'
import { createIdentityFile } from '../../shared/channel/identity.ts'
import { parseAddress } from '../../shared/channel/address.ts'
import { parsePeerId } from '../../shared/channel/peer-id.ts'
import { loadKek, loadKeks } from '../../shared/config/kek.ts'
import { readConfig } from '../../shared/config/read-config.ts'
import { profileSchema } from '../../shared/config/profile.ts'
import { readSigningKeyFile } from '../../shared/database/signing-key-file.ts'
import { DirectoryStorage } from '../../shared/archive/directory.ts'
import { parseTokenId } from '../../shared/ids.ts'
import { isShown, shown } from '../../shared/shown.ts'

const PEER_ID = '12D3KooWHrVGrEBfNiZHu6M4H5rEDwssWPXUM1noFSRoRiPLJKf1'
const SEED = randomBytes(32)

/** Texts that hold a key, each with the part that no message may have. */
const SECRETS: Readonly<Record<string, readonly [text: string, secret: string]>> = {
  'the content of an identity': [
    `macaroond-identity-1 ${PEER_ID} ${SEED.toString('base64url')}`,
    SEED.toString('base64url'),
  ],
  'the content with its newline': [`macaroond-identity-1 ${PEER_ID} c0ffee\n`, 'c0ffee'],
  'another version of it': ['macaroond-identity-9:c0ffee', 'c0ffee'],
  'hex digits': [SEED.toString('hex'), SEED.toString('hex')],
  'hex digits in capitals': [SEED.toString('hex').toUpperCase(), SEED.toString('hex').toUpperCase()],
  base64: ['QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=', 'QUFBQUFB'],
  'base64 with slashes': ['QUFBQUFB/UFBQUFBQUFBQ/FBQUFBQUFBQUFBQUFBQUE=', 'QUFBQUFB'],
  base64url: [SEED.toString('base64url'), SEED.toString('base64url')],
  'a token': ['mcn1_c0ffee.c0ffee', 'c0ffee'],
  'a PEM file': ['-----BEGIN PRIVATE KEY-----\nc0ffee\n-----END PRIVATE KEY-----\n', 'c0ffee'],
}

/** Everything that takes a path or a name. */
const TAKERS: Readonly<Record<string, (text: string) => unknown>> = {
  createVerifier: (identity) =>
    createVerifier({ cluster: 'dev', identity, replicas: [{ address: '127.0.0.1:1', peerId: PEER_ID }] }),
  createSigner: (identity) =>
    createSigner({ cluster: 'dev', identity, primary: { address: '127.0.0.1:1', peerId: PEER_ID } }),
  keygen: (path) => createIdentityFile(join('/nowhere', path)),
  '[kek] file': (file) => loadKek({ file }, '/etc/macaroond/primary.toml', {}),
  '[kek] env': (env) => loadKek({ env }, '/etc/macaroond/primary.toml', {}),
  '[kek] command': (text) => loadKeks({ command: [text] }, '/etc/macaroond/primary.toml', {}),
  signing_key: (path) => readSigningKeyFile(join('/etc/macaroond', path), 'dev', []),
  '--key': (text) => parseAuthorityKey(`x/${text}`),
  '--key-file': (path) => readKeyFile(path),
  '--profile': (path) => readConfig(path, profileSchema),
  '--archive': (path) => DirectoryStorage.open(path),
  address: (text) => parseAddress(text),
  peerId: (text) => parsePeerId(text),
  '--id': (text) => parseTokenId(text),
}

async function errorOf(call: () => unknown): Promise<unknown> {
  try {
    return await call()
  } catch (error) {
    return error
  }
}

describe('a key in place of its path', () => {
  test.each(Object.entries(SECRETS))('is not in any message: %s', async (_, [text, secret]) => {
    for (const [what, take] of Object.entries(TAKERS)) {
      const error = await errorOf(() => take(text))
      expect([what, error]).toEqual([what, expect.objectContaining({ code: expect.any(String) as string })])
      expect([what, inspect(error, { depth: 5, showHidden: true }).replace(/\n +at .*/g, '')]).toEqual([
        what,
        expect.not.stringContaining(secret) as string,
      ])
    }
  })

  test('is named as what it is', async () => {
    const identity = SEED.toString('hex')
    expect(await errorOf(() => TAKERS['createVerifier']?.(identity))).toMatchObject({
      code: 'key_unreadable',
      message: expect.stringContaining('not shown') as string,
      hint: expect.stringContaining('give the path of an identity file') as string,
    })
    expect(await errorOf(() => TAKERS['[kek] env']?.('a'.repeat(64)))).toMatchObject({
      hint: '`env` under [kek] takes the name of a variable, not the key in it',
    })
  })

  test('a seed of another length is malformed', async () => {
    const replicas = [{ address: '127.0.0.1:1', peerId: PEER_ID }]
    for (const bytes of [0, 31, 33, 64]) {
      const call = createVerifier({ cluster: 'dev', identity: Buffer.alloc(bytes, 65), replicas })
      await expect(call).rejects.toMatchObject({
        code: 'key_malformed',
        message: `a seed has 32 bytes, and this one has ${bytes}`,
      })
    }
  })
})

describe('a path', () => {
  test.each([
    '/etc/macaroond/primary.key',
    'node.key',
    '../keys/Operator_of-the-production-cluster-in-Frankfurt.key',
    `/srv/Alice/keys/${PEER_ID}`,
    '/nix/store/0c5nrq4m1vfr8h3yk6zv1gg4m2wd4p3j-macaroond-0.2.0/bin/node',
    '/var/lib/kubelet/pods/3f0c6f0e-4d5e-4a41-9f0e-2b7c1d2e3f40/volumes/key',
    's3://my-bucket/macaroond',
    'MACAROOND_KEK_OF_THE_PRODUCTION_CLUSTER_IN_FRANKFURT',
    'macaroond-identity.key',
    '/srv/Alice/Keys/Macaroond/node1',
  ])('that is none is shown: %s', (path) => {
    expect(shown(path)).toBe(path)
  })

  test('that is no path, but the base64 of 32 bytes without padding, is not shown', () => {
    expect(isShown('QUFBQUFB/UFBQUFBQUFBQ/FBqUFB1UFBQUFBQUFBQUE')).toBe(false)
  })

  test('keeps its other parts', () => {
    expect(shown(`/etc/macaroond/${'0f'.repeat(32)}`)).toBe('/etc/macaroond/(not shown: it looks like a key)')
  })

  test('that is read as a file with another name is in no error', () => {
    const folder = mkdtempSync(join(tmpdir(), 'macaroond-shown-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const file = join(folder, 'ab'.repeat(32))
    writeFileSync(file, 'nonsense', { mode: 0o600 })
    expect(() => loadKek({ file }, join(folder, 'x.toml'), {})).toThrow('(not shown: it looks like a key)')
  })

  test('never shows the 32 bytes of a key, in any encoding, in any folder', () => {
    const encodings = fc.constantFrom<BufferEncoding>('hex', 'base64url', 'base64')
    const key = fc.uint8Array({ minLength: 32, maxLength: 32 }).filter((bytes) => new Set(bytes).size > 8)
    fc.assert(
      fc.property(key, encodings, fc.constantFrom('', '/etc/macaroond/', './'), (bytes, encoding, folder) => {
        expect(isShown(`${folder}${Buffer.from(bytes).toString(encoding)}`)).toBe(false)
      }),
    )
  })
})
