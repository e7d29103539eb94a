/** The program of docs/testing.md runs where no file may be written, and no socket, process or thread may be opened. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { blocksOf } from '../../acceptance/readme/blocks.ts'

const ROOT = join(import.meta.dirname, '../../..')
const ENTRIES = { 'macaroond/worker': 'replica/worker/sdk.ts', 'macaroond/testing': 'ops/testing/sdk.ts' }
const run = promisify(execFile)

/** Node's permission model has no rule for sockets, so this is one. */
const NO_SOCKETS = `
import dgram from 'node:dgram'
import net from 'node:net'
const refuse = () => { throw new Error('a socket is opened') }
net.Socket.prototype.connect = net.Server.prototype.listen = dgram.Socket.prototype.bind = refuse`

test('a test authority needs no disk, socket, process or thread, and lets the process end', async () => {
  const [program] = blocksOf(readFileSync(join(ROOT, 'docs/testing.md'), 'utf8'))
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-testing-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  let source = (program?.code ?? '').replace('await authority.close()\n', '')
  for (const [entry, file] of Object.entries(ENTRIES))
    source = source.replace(`from '${entry}'`, `from '${pathToFileURL(join(ROOT, file)).href}'`)
  const [file, preload] = [join(folder, 'service.ts'), join(folder, 'no-sockets.mjs')]
  writeFileSync(file, source)
  writeFileSync(preload, NO_SOCKETS)
  const denied = ['--permission', '--allow-fs-read=*', '--allow-addons', '--import', preload]
  const { stdout, stderr } = await run(process.execPath, [...denied, file], { cwd: folder })
  expect(stdout).toBe('all as expected\n')
  expect(stderr).not.toContain('ERR_ACCESS_DENIED')
})
