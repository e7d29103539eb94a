import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { loadKek, loadKeks } from '../../../shared/config/kek.ts'
import type { KekSource } from '../../../shared/config/node-config.ts'
import { kekFromHex } from '../../../shared/sealing.ts'

const HEX = '0123456789abcdef'.repeat(4)
const KEK = kekFromHex(HEX)

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'macaroond-kek-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

function fileOf(content: string | Buffer, mode = 0o600): string {
  const path = join(folder(), 'kek')
  writeFileSync(path, content)
  chmodSync(path, mode)
  return path
}

interface Told {
  readonly code: string
  readonly message: string
  readonly cause?: unknown
}

function told(source: KekSource, env: NodeJS.ProcessEnv = {}): Told {
  try {
    loadKek(source, '/etc/node.toml', env)
  } catch (error) {
    return error as Told
  }
  throw new Error('it was loaded')
}

test('a key comes from a file, the environment or a command, with or without a newline', () => {
  for (const text of [HEX, `${HEX}\n`, ` ${HEX.toUpperCase()}\r\n`]) {
    expect(loadKek({ file: fileOf(text) }, '/etc/node.toml', {})).toEqual(KEK)
    expect(loadKek({ env: 'KEK' }, '/etc/node.toml', { KEK: text })).toEqual(KEK)
  }
  expect(loadKek({ command: ['echo', HEX] }, '/etc/node.toml', {})).toEqual(KEK)
})

test('a ring is the key that seals, and those before it in their order, each from a source of its own', () => {
  const [second, third] = ['1'.repeat(64), '2'.repeat(64)]
  const previous = [{ env: 'OLD' }, { command: ['echo', third] }]
  expect(loadKeks({ file: fileOf(HEX), previous }, '/etc/node.toml', { OLD: second })).toEqual({
    kek: KEK,
    previousKeks: [kekFromHex(second), kekFromHex(third)],
  })
  expect(loadKeks({ file: fileOf(HEX) }, '/etc/node.toml', {})).toEqual({ kek: KEK, previousKeks: [] })
})

test('a relative file is meant from the folder of the configuration', () => {
  const file = fileOf(HEX)
  expect(loadKek({ file: 'kek' }, join(file, '..', 'node.toml'), {})).toEqual(KEK)
})

for (const mode of [0o604, 0o660, 0o602, 0o620, 0o644, 0o777]) {
  test(`a file of mode 0${mode.toString(8)} is refused, with what to do about it`, () => {
    const error = told({ file: fileOf(HEX, mode) })
    expect(error).toMatchObject({ code: 'key_permissions' })
    expect(error).toHaveProperty('hint', expect.stringContaining('chmod 600'))
  })
}

test('what is no key is told without repeating any of it', () => {
  for (const text of ['', HEX.slice(1), `${HEX}0`, HEX.replace('0', 'g'), `${HEX}\n${HEX}`]) {
    for (const error of [
      told({ file: fileOf(text) }),
      told({ env: 'KEK' }, { KEK: text }),
      told({ command: ['printf', '%s', text] }),
    ]) {
      expect(error.code).toBe('key_malformed')
      expect(`${error.message}${String(error.cause)}`).not.toContain('89abcdef')
    }
  }
})

test('a source that is not there is told by its name', () => {
  expect(told({ file: '/nowhere/kek' })).toMatchObject({ code: 'kek_missing' })
  expect(told({ file: folder() }).code).toMatch(/kek_missing|key_malformed/)
  expect(told({ env: 'NOT_SET' })).toMatchObject({
    code: 'kek_missing',
    message: expect.stringContaining('NOT_SET') as string,
  })
  expect(told({ command: ['/nowhere/program'] })).toMatchObject({ code: 'kek_missing' })
})

test('a command that fails after it printed a key leaks nothing of it', () => {
  const error = told({ command: ['sh', '-c', `echo ${HEX}; exit 3`] })
  expect(error.code).toBe('kek_missing')
  expect(error.cause).toBeUndefined()
  expect(error.message).not.toContain(HEX.slice(0, 8))
})

test('a command that prints without end, and a file without end, are cut off', () => {
  expect(told({ command: ['yes'] }).code).toBe('kek_missing')
  expect(told({ file: fileOf(Buffer.alloc(10_000_000, 0x61)) }).code).toBe('key_malformed')
})
