/** Real files of real users, so it takes root. */
import { chmodSync, chownSync, lchownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { parseAuthorityKey } from '../../../ops/arguments/authority-key.ts'
import { createIdentityFile, loadIdentity } from '../../../shared/channel/identity.ts'
import { findingsOf } from '../../../shared/config/checks.ts'
import { loadKek } from '../../../shared/config/kek.ts'
import { readProfile } from '../../../shared/config/profile.ts'
import { distrustOfPath } from '../../../shared/files/trusted-file.ts'
import { codeOf } from '../code-of.ts'

const isRoot = process.getuid?.() === 0
const folder = mkdtempSync(join(tmpdir(), 'macaroond-trust-'))
afterAll(() => rmSync(folder, { recursive: true }))

const SERVICE = 54_321
const OTHER = 54_322
const GROUP = 54_323
const SEED = 'a1'.repeat(32)
let made = 0
let here = ''
beforeEach(() => {
  chmodSync(folder, 0o755)
  here = join(folder, String((made += 1)))
  mkdirSync(here, { mode: 0o755 })
})
const at = (name: string): string => join(here, name)
const kekCode = (path: string): string => codeOf(() => loadKek({ file: path }, at('config.toml'), {}))

/** What `work` does is done by another user, with the rights of that user and no more. */
function as<T>(uid: number, [gid = uid, ...more]: readonly number[], work: () => T): T {
  const before = process.getgroups?.() ?? []
  process.setgroups?.(more)
  process.setegid?.(gid)
  process.seteuid?.(uid)
  try {
    return work()
  } finally {
    process.seteuid?.(0)
    process.setegid?.(0)
    process.setgroups?.(before)
  }
}

/** Reasons of a start that is refused. */
async function untrusted({ data, kek }: { readonly data?: string; readonly kek?: readonly [string, ...string[]] }) {
  await createIdentityFile(at('node.key')).catch(() => undefined)
  writeFileSync(at('node.toml'), '')
  const archive = { enabled: true, to: at('archive'), copies: [] }
  const command = kek === undefined ? {} : { kek: { command: kek } }
  const folders = data === undefined ? {} : { data, archive }
  const found = await findingsOf({
    file: at('node.toml'),
    config: { identity: at('node.key'), ...command, ...folders },
  })
  return found.filter(({ code }) => code === 'file_untrusted').map(({ reason }) => reason)
}

describe.runIf(isRoot)('a file that others may write', () => {
  test('is refused, whether it is the file, a folder above, or the folder that a link leads to', () => {
    const link = join(folder, `link-${made}`)
    writeFileSync(at('kek'), SEED, { mode: 0o600 })
    symlinkSync(at('kek'), link)
    expect([kekCode(at('kek')), kekCode(link)]).toEqual(['no error', 'no error'])
    chmodSync(here, 0o777)
    expect([kekCode(at('kek')), kekCode(link)]).toEqual(['file_untrusted', 'file_untrusted'])
    chmodSync(here, 0o1777)
    expect([kekCode(at('kek')), kekCode(link)]).toEqual(['no error', 'no error'])
  })

  test('is refused where a link to it lies in a folder that all may write', () => {
    for (const name of ['safe', 'open']) mkdirSync(at(name), { mode: 0o755 })
    writeFileSync(at('safe/kek'), SEED, { mode: 0o600 })
    symlinkSync('../safe/kek', at('open/kek'))
    chmodSync(at('open'), 0o777)
    expect([kekCode(at('open/kek')), kekCode(at('safe/kek'))]).toEqual(['file_untrusted', 'no error'])
  })

  test('is refused if a third user owns it, and so is a third user’s link in a folder like /tmp', async () => {
    await createIdentityFile(at('node.key'))
    chownSync(at('node.key'), OTHER, 0)
    await expect(loadIdentity(at('node.key'))).rejects.toMatchObject({ code: 'file_untrusted' })
    chownSync(at('node.key'), 0, 0)
    chmodSync(here, 0o1777)
    symlinkSync(at('node.key'), at('link'))
    await loadIdentity(at('link'))
    lchownSync(at('link'), OTHER, OTHER)
    await expect(loadIdentity(at('link'))).rejects.toMatchObject({ code: 'file_untrusted' })
  })

  test('gives only a warning if a folder above it belongs to a third user', () => {
    mkdirSync(at('checkout'), { mode: 0o755 })
    writeFileSync(at('checkout/kek'), SEED, { mode: 0o600 })
    chownSync(at('checkout'), OTHER, OTHER)
    expect(kekCode(at('checkout/kek'))).toBe('no error')
    expect(distrustOfPath(at('checkout/kek'))).toMatchObject([{ severity: 'warning', path: at('checkout') }])
  })

  test('is refused as a profile, and named by `config check` as configuration, data and archive', async () => {
    const peerId = '12D3KooWEFMAEPCz7Zc2zFxWsYzCrdzoCsFyBt7DzZmDEE81nmRy'
    const profile = `cluster = "x"\nidentity = "i"\nprimary = { address = "h:1", peer_id = "${peerId}" }\n`
    writeFileSync(at('profile.toml'), profile)
    expect(codeOf(() => readProfile(at('profile.toml')))).toBe('no error')
    chmodSync(at('profile.toml'), 0o666)
    expect(codeOf(() => readProfile(at('profile.toml')))).toBe('file_untrusted')
    for (const name of ['data', 'archive']) mkdirSync(at(name))
    chmodSync(at('data'), 0o777)
    chownSync(at('archive'), OTHER, OTHER)
    await createIdentityFile(at('node.key'))
    writeFileSync(at('kek'), SEED, { mode: 0o600 })
    const archive = { enabled: true, to: at('archive'), copies: ['s3://bucket/x'] }
    const config = { identity: at('node.key'), data: at('data'), kek: { file: 'kek' }, archive }
    const found = await findingsOf({ file: at('profile.toml'), config })
    const reasons = found.filter(({ code }) => code === 'file_untrusted').map(({ reason }) => reason)
    expect(reasons).toEqual(['profile.toml', 'data', 'archive'].map((name) => expect.stringContaining(at(name))))
  })

  test('is refused inside of data and archive, where everybody may enter', async () => {
    for (const name of ['data/log', 'archive/ltx/0', 'archive/macaroond/manifest'])
      mkdirSync(at(name), { recursive: true })
    mkdirSync(at('archive/macaroond/epochs'))
    const inner = ['data/log/1.log', 'archive/macaroond/manifest/1.json', 'archive/macaroond/epochs/1.json']
    for (const name of ['data/macaroond.db', 'data/position', ...inner]) writeFileSync(at(name), '')
    expect(await untrusted({ data: at('data') })).toEqual([])
    for (const name of inner) chmodSync(at(name), 0o666)
    expect(await untrusted({ data: at('data') })).toEqual(inner.map((name) => expect.stringContaining(at(name))))
    for (const name of inner) chmodSync(at(name), 0o644)
    chmodSync(at('data/macaroond.db'), 0o666)
    chmodSync(at('data/log'), 0o777)
    chownSync(at('data/position'), OTHER, OTHER)
    chmodSync(at('archive/ltx/0'), 0o777)
    chmodSync(at('archive/macaroond/manifest'), 0o777)
    const names = ['data/log', 'data/macaroond.db', 'data/position', 'archive/ltx/0', 'archive/macaroond/manifest']
    expect(await untrusted({ data: at('data') })).toEqual(names.map((name) => expect.stringContaining(at(name))))
  })

  test('is not run for the KEK, neither as the program nor as a script that is handed to it', async () => {
    for (const name of ['kek.sh', 'found']) writeFileSync(at(name), `#!/bin/sh\necho ${SEED}\n`, { mode: 0o755 })
    vi.stubEnv('PATH', `${here}:${process.env['PATH'] ?? ''}`)
    mkdirSync(at('w'))
    writeFileSync(at('w/kek.sh'), `echo ${SEED}\n`, { mode: 0o755 })
    const before = process.cwd()
    process.chdir(here)
    onTestFinished(() => process.chdir(before))
    const all = [[at('kek.sh')], ['/bin/sh', at('kek.sh')], ['found'], ['/bin/sh', 'w/kek.sh']]
    const isRefused = async (): Promise<readonly boolean[]> =>
      Promise.all(all.map(async ([program = '', ...args]) => (await untrusted({ kek: [program, ...args] })).length > 0))
    expect(await isRefused()).toEqual([false, false, false, false])
    for (const name of ['kek.sh', 'found', 'w/kek.sh']) chmodSync(at(name), 0o777)
    expect(await isRefused()).toEqual([true, true, true, true])
    vi.unstubAllEnvs()
  })

  test('is refused as the key that an archive is checked with', () => {
    writeFileSync(at('authority.key'), SEED, { mode: 0o644 })
    expect(codeOf(() => parseAuthorityKey(at('authority.key')))).toBe('no error')
    chmodSync(at('authority.key'), 0o666)
    expect(codeOf(() => parseAuthorityKey(at('authority.key')))).toBe('file_untrusted')
  })

  test('is judged where the path leads, not where it seems to lead', () => {
    for (const name of ['far/below', 'near']) mkdirSync(at(name), { recursive: true })
    symlinkSync('../far/below', at('near/link'))
    for (const name of ['far/kek', 'near/kek']) writeFileSync(at(name), SEED, { mode: 0o600 })
    expect(kekCode(`${here}/near/link/../kek`)).toBe('no error')
    chmodSync(at('far/kek'), 0o622)
    expect(distrustOfPath(`${here}/near/link/../kek`)).toMatchObject([{ severity: 'error', path: at('far/kek') }])
  })
})

describe.runIf(isRoot)('a secret as Kubernetes mounts it', () => {
  function mounted(mode: number): string {
    mkdirSync(at('..2026'), { mode: 0o755 })
    writeFileSync(at('..2026/kek'), SEED)
    chmodSync(at('..2026/kek'), mode)
    chownSync(at('..2026/kek'), 0, GROUP)
    symlinkSync('..2026', at('..data'))
    symlinkSync('..data/kek', at('kek'))
    chmodSync(here, 0o1777)
    return at('kek')
  }

  test('is read by a process of its group, and by nobody else', () => {
    const kek = mounted(0o440)
    expect(as(SERVICE, [GROUP], () => kekCode(kek))).toBe('no error')
    expect(as(SERVICE, [SERVICE, GROUP], () => kekCode(kek))).toBe('no error')
    expect(as(SERVICE, [SERVICE], () => kekCode(kek))).toBe('kek_missing')
  })

  test('with mode 0444 is refused, and the hint says which setting to change', () => {
    const kek = mounted(0o444)
    const hint = expect.stringMatching(/Docker.*mode: 0400.*Kubernetes.*defaultMode: 0400.*fsGroup/)
    const refusal = expect.objectContaining({ code: 'key_permissions', hint })
    expect(() => as(SERVICE, [GROUP], () => loadKek({ file: kek }, at('config.toml'), {}))).toThrow(refusal)
  })

  test('has to be private where this user could make it so', () => {
    writeFileSync(at('kek'), SEED)
    chmodSync(at('kek'), 0o440)
    chownSync(at('kek'), SERVICE, GROUP)
    expect(as(SERVICE, [GROUP], () => kekCode(at('kek')))).toBe('key_permissions')
    chmodSync(at('kek'), 0o400)
    expect(as(SERVICE, [GROUP], () => kekCode(at('kek')))).toBe('no error')
  })
})

test('circular links are reported as unreadable, and hang nothing', () => {
  symlinkSync('b', at('a'))
  symlinkSync('a', at('b'))
  expect(kekCode(at('a'))).toBe('kek_missing')
  expect(distrustOfPath(at('a')).filter(({ severity }) => severity === 'error')).toEqual([])
})
