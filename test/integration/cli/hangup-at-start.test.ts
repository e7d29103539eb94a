/** SIGHUP to a process that is not ready yet, because the program that prints its key-encryption key still runs. */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { commandLine, PROGRAM, until } from './command.ts'

test('SIGHUP to a primary that starts reloads it once it runs', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-hangup-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const file = (name: string): string => join(folder, name)
  await commandLine(['keygen', '--out', file('node.key')])
  const script = `touch ${file('asked')}; while ! test -e ${file('go')}; do sleep 0.05; done; printf %064d 7`
  writeFileSync(
    file('primary.toml'),
    [
      'cluster = "test"',
      'data = "data"',
      'identity = "node.key"',
      'listen = "127.0.0.1:0"',
      'alone = true',
      '[kek]',
      `command = ["/bin/sh", "-c", ${JSON.stringify(script)}]`,
    ].join('\n'),
  )
  const child = spawn(process.execPath, [PROGRAM, 'primary', '--config', file('primary.toml')])
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended = new Promise<number | string>((resolve) =>
    child.once('exit', (status, signal) => resolve(status ?? signal ?? '')),
  )
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  await until(() => existsSync(file('asked')) || child.exitCode !== null)
  child.kill('SIGHUP')
  writeFileSync(file('go'), '')
  await until(() => said.includes('configuration reloaded') || child.exitCode !== null || child.signalCode !== null)
  expect(said).toMatch(/"ready":true[^]*configuration reloaded: nothing in it changed/)
  child.kill('SIGTERM')
  expect(await ended, said).toBe(0)
})
