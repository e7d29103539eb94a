import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../../shared/clock.ts'
import { outputOf } from '../../../shared/config/command-output.ts'
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

interface ReportedError {
  readonly code: string
  readonly message: string
  readonly cause?: unknown
}

async function errorOf(source: KekSource, env: NodeJS.ProcessEnv = {}): Promise<ReportedError> {
  try {
    await loadKeks(source, '/etc/node.toml', env)
  } catch (error) {
    return error as ReportedError
  }
  throw new Error('it was loaded')
}

test('a key comes from a file, the environment or a command, with or without a newline', async () => {
  for (const text of [HEX, `${HEX}\n`, ` ${HEX.toUpperCase()}\r\n`]) {
    expect(loadKek({ file: fileOf(text) }, '/etc/node.toml', {})).toEqual(KEK)
    expect(loadKek({ env: 'KEK' }, '/etc/node.toml', { KEK: text })).toEqual(KEK)
  }
  expect((await loadKeks({ command: ['echo', HEX] }, '/etc/node.toml', {})).kek).toEqual(KEK)
})

test('a ring is the sealing key and the earlier ones in order, each from a source of its own', async () => {
  const [second, third] = ['1'.repeat(64), '2'.repeat(64)]
  const previous = [{ env: 'OLD' }, { command: ['echo', third] }]
  expect(await loadKeks({ file: fileOf(HEX), previous }, '/etc/node.toml', { OLD: second })).toEqual({
    kek: KEK,
    previousKeks: [kekFromHex(second), kekFromHex(third)],
  })
  expect(await loadKeks({ file: fileOf(HEX) }, '/etc/node.toml', {})).toEqual({ kek: KEK, previousKeks: [] })
})

test('a relative file is meant from the folder of the configuration', async () => {
  const file = fileOf(HEX)
  expect(loadKek({ file: 'kek' }, join(file, '..', 'node.toml'), {})).toEqual(KEK)
})

for (const mode of [0o604, 0o660, 0o602, 0o620, 0o644, 0o777]) {
  test(`a file of mode 0${mode.toString(8)} is refused, with what to do about it`, async () => {
    const error = await errorOf({ file: fileOf(HEX, mode) })
    expect(error).toMatchObject({ code: 'key_permissions' })
    expect(error).toHaveProperty('hint', expect.stringContaining('chmod 600'))
  })
}

test('an invalid key is refused without repeating any of it', async () => {
  for (const text of ['', HEX.slice(1), `${HEX}0`, HEX.replace('0', 'g'), `${HEX}\n${HEX}`]) {
    for (const error of [
      await errorOf({ file: fileOf(text) }),
      await errorOf({ env: 'KEK' }, { KEK: text }),
      await errorOf({ command: ['printf', '%s', text] }),
    ]) {
      expect(error.code).toBe('key_malformed')
      expect(`${error.message}${String(error.cause)}`).not.toContain('89abcdef')
    }
  }
})

test('a missing source is named', async () => {
  expect(await errorOf({ file: '/nowhere/kek' })).toMatchObject({ code: 'kek_missing' })
  expect((await errorOf({ file: folder() })).code).toMatch(/kek_missing|key_malformed/)
  expect(await errorOf({ env: 'NOT_SET' })).toMatchObject({
    code: 'kek_missing',
    message: expect.stringContaining('NOT_SET') as string,
  })
  expect(await errorOf({ command: ['/nowhere/program'] })).toMatchObject({ code: 'kek_missing' })
})

test('a command that fails after it printed a key leaks nothing of it', async () => {
  const error = await errorOf({ command: ['sh', '-c', `echo ${HEX}; exit 3`] })
  expect(error.code).toBe('kek_missing')
  expect(error.cause).toBeUndefined()
  expect(error.message).not.toContain(HEX.slice(0, 8))
})

test('a command that prints without end, and a file without end, are cut off', async () => {
  expect((await errorOf({ command: ['yes'] })).code).toBe('kek_missing')
  expect((await errorOf({ file: fileOf(Buffer.alloc(10_000_000, 0x61)) })).code).toBe('key_malformed')
})

/** One that ended stays as a zombie where nobody reaps it. */
function alive(pid: string): boolean {
  const stat = `/proc/${pid.trim()}/stat`
  return existsSync(stat) && !readFileSync(stat, 'utf8').includes(') Z ')
}

test('a command that ignores SIGTERM, and leaves a child on its output, is ended with that child', async () => {
  const pids = join(folder(), 'pids')
  const script = `trap '' TERM; echo $$ > ${pids}; (trap '' TERM; sleep 300) & echo $! >> ${pids}; wait`
  const output = await outputOf(['sh', '-c', script], { bytesMax: 100, timeoutMs: 1_500, timers: systemClock })
  expect(output).toBeUndefined()
  const started = readFileSync(pids, 'utf8').trim().split('\n')
  expect(started).toHaveLength(2)
  await expect.poll(() => started.filter(alive), { timeout: 10_000 }).toEqual([])
})

test('a command that is done is not waited for because of a child that it left on its output', async () => {
  const pids = join(folder(), 'pids')
  const script = `sleep 300 & echo $! > ${pids}; echo ${HEX}`
  expect((await loadKeks({ command: ['sh', '-c', script] }, '/etc/node.toml', {})).kek).toEqual(KEK)
  await expect.poll(() => alive(readFileSync(pids, 'utf8')), { timeout: 10_000 }).toBe(false)
})

test('a command’s stderr is in nobody’s log', () => {
  const program = `import { loadKeks } from '${new URL('../../../shared/config/kek.ts', import.meta.url).href}'
    await loadKeks({ command: ['sh', '-c', 'echo ${HEX} >&2; exit 1'] }, '/x', {}).catch((e) => console.error(e.code))`
  const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
  expect(stderr).toBe('kek_missing\n')
})
