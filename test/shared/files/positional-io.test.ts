import { closeSync, openSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readAt, syncFile, rewriteAndSync } from '../../../shared/files/positional-io.ts'
import { storageError, syncError } from '../../../shared/files/storage-errors.ts'
import { scratchDirectory } from '../sqlite/scratch.ts'

const LARGE_BYTES = 2_500_000

function failing(code: string): Error {
  return Object.assign(new Error('of the kernel'), { code })
}

test('a sync that fails has a code of its own, whatever the reason, and says which file', () => {
  const fd = openSync('/dev/null', 'r')
  expect(() => syncFile(fd, '/dev/null')).toThrow(
    expect.objectContaining({ code: 'sync_failed', message: 'EINVAL while syncing /dev/null' }),
  )
  closeSync(fd)
  expect(syncError(failing('ENOSPC'), 'a').code).toBe('sync_failed')
  expect(storageError(failing('SQLITE_IOERR_FSYNC'), 'committing').code).toBe('sync_failed')
  expect(storageError(failing('SQLITE_IOERR_WRITE'), 'committing').code).toBe('io_failed')
})

test('a read that fails says which file', () => {
  const folder = scratchDirectory()
  const fd = openSync(folder, 'r')
  expect(() => readAt(fd, Buffer.alloc(1), 0, 1, 0)).toThrow(`EISDIR while reading ${folder}`)
  closeSync(fd)
})

test('a process without descriptors gets an error that names that limit, not the disk', () => {
  for (const code of ['EMFILE', 'ENFILE']) expect(storageError(failing(code), 'opening').hint).toContain('ulimit')
})

test('a rewritten file has the same bytes, all of them written, and a missing one stays missing', () => {
  const path = join(scratchDirectory(), 'a')
  expect(() => rewriteAndSync(path)).not.toThrow()
  expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined()
  const content = Buffer.alloc(LARGE_BYTES, 'not the same in every piece')
  writeFileSync(path, content)
  utimesSync(path, 1, 1)
  const before = statSync(path)
  rewriteAndSync(path)
  const after = statSync(path)
  expect(readFileSync(path).equals(content)).toBe(true)
  expect(after.ino).toBe(before.ino)
  expect(after.mtimeMs).toBeGreaterThan(before.mtimeMs)
})
