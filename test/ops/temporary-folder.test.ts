import { existsSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { temporaryFolder } from '../../ops/temporary-folder.ts'

afterEach(() => vi.unstubAllEnvs())

test('a temporary folder is there, and nobody else’s', () => {
  const folder = temporaryFolder('test')
  expect(existsSync(folder)).toBe(true)
  rmSync(folder, { recursive: true })
})

test('a TMPDIR that is no folder is named, with what to set', () => {
  const nowhere = join(tmpdir(), 'macaroond-nowhere')
  vi.stubEnv('TMPDIR', nowhere)
  const message = expect.stringContaining(nowhere)
  const refusal = { code: 'io_failed', message, hint: expect.stringContaining('TMPDIR') }
  expect(() => temporaryFolder('test')).toThrow(expect.objectContaining(refusal))
})
