import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createIdentityFile } from '../../../shared/channel/identity.ts'
import { errorIn, findingsOf, checkAndLoadSecrets } from '../../../shared/config/checks.ts'
import type { CheckedConfig } from '../../../shared/config/finding.ts'
import { silentLog } from '../../../shared/log.ts'

const folder = mkdtempSync(join(tmpdir(), 'macaroond-checks-'))
const at = (name: string): string => join(folder, name)
const file = at('primary.toml')
const ELSEWHERE = { enabled: true, to: '/mnt/archive', copies: [] } as const
const config = (more: Partial<CheckedConfig> = {}): CheckedConfig & { identity: string; kek: { file: string } } => ({
  identity: at('node.key'),
  data: at('data'),
  archive: ELSEWHERE,
  ...more,
  kek: { file: 'kek' },
})

beforeAll(async () => {
  await createIdentityFile(at('node.key'))
  writeFileSync(at('kek'), 'a1'.repeat(32), { mode: 0o600 })
})

afterAll(() => rmSync(folder, { recursive: true }))

const codesOf = async (more: Partial<CheckedConfig>): Promise<readonly string[]> =>
  (await findingsOf({ file, config: { ...config(), ...more } })).map(({ code }) => code)

describe('the checks of a configuration', () => {
  test('find nothing in one that is well, whether its data folder is there or not', async () => {
    expect(await codesOf({})).toEqual([])
    mkdirSync(at('made'), { mode: 0o700 })
    expect(await codesOf({ data: at('made') })).toEqual([])
  })

  test('name every key that is missing or open to others, not only the first', async () => {
    writeFileSync(at('open.kek'), 'a1'.repeat(32), { mode: 0o644 })
    chmodSync(at('open.kek'), 0o644)
    const kek = { file: 'open.kek', previous: [{ file: 'gone.kek' }] }
    expect(await codesOf({ identity: at('gone.key'), kek })).toEqual([
      'key_unreadable',
      'key_permissions',
      'kek_missing',
    ])
  })

  test('refuse data that is no folder, and a folder that only a newer version may run on', async () => {
    writeFileSync(at('a-file'), '')
    expect(await codesOf({ data: at('a-file') })).toContain('io_failed')
    mkdirSync(at('newer'), { mode: 0o700 })
    writeFileSync(at('newer/required-made-up'), '')
    expect(await codesOf({ data: at('newer') })).toEqual(['schema_newer'])
  })

  test('warn of an archive or key beside its data, of open data, and of alone with replicas', async () => {
    mkdirSync(at('open'), { mode: 0o755 })
    chmodSync(at('open'), 0o755)
    writeFileSync(at('open/kek'), 'a1'.repeat(32), { mode: 0o600 })
    const findings = await findingsOf({
      file,
      config: {
        ...config(),
        data: at('open'),
        archive: { enabled: true, copies: [] },
        kek: { file: 'open/kek' },
        alone: true,
        peers: [{ id: 'x', name: 'fra-1', role: 'replica' }],
      },
    })
    const codes = findings.map(({ code }) => code).toSorted()
    expect(codes).toEqual(['alone_with_replicas', 'archive_beside_data', 'data_readable', 'kek_beside_data'])
    expect(errorIn(findings)).toBeUndefined()
  })

  test('are run by a start: an error of `config check` prevents it, a warning does not', async () => {
    const log = silentLog
    const { identity } = await checkAndLoadSecrets(
      { file, config: config({ alone: true, archive: { enabled: false, copies: [] } }) },
      log,
    )
    expect(identity.peerId).toMatch(/^12D3Koo/)
    await expect(checkAndLoadSecrets({ file, config: config({ data: at('newer') }) }, log)).rejects.toMatchObject({
      code: 'schema_newer',
      hint: expect.stringContaining('do not delete') as string,
    })
  })

  test('come before the command for the key: a file that every user may write runs nothing', async () => {
    const open = at('open.toml')
    writeFileSync(open, '')
    chmodSync(open, 0o666)
    const asked = { file: open, config: { ...config(), kek: { command: ['touch', at('was-run')] } } }
    await expect(checkAndLoadSecrets(asked, silentLog)).rejects.toMatchObject({ code: 'file_untrusted' })
    expect(existsSync(at('was-run'))).toBe(false)
  })
})
