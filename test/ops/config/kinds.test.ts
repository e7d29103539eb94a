import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { kindOfFile } from '../../../ops/config/kinds.ts'
import { redacted } from '../../../ops/config/redacted.ts'
import type { PrimaryConfig } from '../../../primary/config.ts'

const folder = mkdtempSync(join(tmpdir(), 'macaroond-kinds-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function written(text: string): string {
  const file = join(folder, 'config.toml')
  writeFileSync(file, text)
  return file
}

describe('the kind of a file', () => {
  it.each([
    ['primary', 'cluster = "a"\ndata = "d"\nlisten = "l"\n[kek]\nfile = "k"'],
    ['primary', 'data = "d"\nalone = true'],
    ['replica', 'data = "d"\nregion = "fra"'],
    ['replica', 'dtaa = "d"\nlisten = "l"\n[primary]\naddress = "a"'],
    ['profile', 'identity = "i"\n[primary]\naddress = "a"'],
    ['profile', 'identity = "i"\n[[replicas]]\nregion = "fra"'],
  ])('is recognised by its keys: %s', (kind, text) => {
    expect(kindOfFile(written(text))).toBe(kind)
  })

  it('is asked for if no key decides it', () => {
    expect(() => kindOfFile(written('cluster = "a"'))).toThrow(/--kind|any kind/)
  })
})

describe('a configuration that is shown', () => {
  const config = {
    cluster: 'a',
    kek: { command: ['pass', '--password', 'hunter2'] },
    peers: [],
  } as unknown as PrimaryConfig

  it('hides what a command for the key-encryption key is called with', () => {
    const shown = redacted('/etc/macaroond/primary.toml', config)
    expect(shown).toEqual({ cluster: 'a', kek: { command: ['pass', '[redacted]', '[redacted]'] }, peers: [] })
  })

  it('names the file of the key-encryption key with its whole path', () => {
    expect(redacted('/etc/macaroond/primary.toml', { ...config, kek: { file: 'kek' } })).toMatchObject({
      kek: { file: '/etc/macaroond/kek' },
    })
  })
})
