/** A clean stop leaves no handle that keeps the process alive, and the next start continues from there. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { parsePosition } from '../../../shared/position.ts'
import { closedFile, scratch } from './harness.ts'

interface Life {
  readonly ok: boolean
  readonly orgs: readonly string[]
  readonly position: string
}

async function live(folder: string, org: string): Promise<Life> {
  const child = join(import.meta.dirname, 'node-child.ts')
  // Nothing exits by force there: a handle that was left open would run into this time limit.
  const { stdout } = await promisify(execFile)(process.execPath, [child, folder, org], { timeout: 20_000 })
  return JSON.parse(stdout) as Life
}

test('a process whose nodes and clients were stopped exits by itself, and the next one resumes', async () => {
  const folder = scratch()
  const first = await live(folder, 'acme')
  expect(first).toMatchObject({ ok: true, orgs: ['acme'] })
  expect(closedFile(join(folder, 'fra')).equals(closedFile(join(folder, 'primary')))).toBe(true)
  const second = await live(folder, 'globex')
  expect(second).toMatchObject({ ok: true, orgs: ['acme', 'globex'] })
  expect(parsePosition(second.position).txid).toBe(parsePosition(first.position).txid + 2)
  expect(closedFile(join(folder, 'fra')).equals(closedFile(join(folder, 'primary')))).toBe(true)
})
