import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { LargestLease } from '../../../replica/freshness/largest-lease.ts'

function path(): string {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-lease-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'largest-lease.json')
}

test('the longest lease is known after a restart, and a shorter one changes nothing', () => {
  const file = path()
  const lease = new LargestLease(file)
  expect(lease.leaseMs).toBe(0)
  lease.raise(5_000)
  lease.raise(1_000)
  expect(lease.leaseMs).toBe(5_000)
  expect(new LargestLease(file).leaseMs).toBe(5_000)
  expect(readdirSync(join(file, '..'))).toEqual(['largest-lease.json'])
})

test.each(['', '{', '{"leaseMs": -1}', '{"leaseMs": "5"}', '[]'])(
  'a damaged file is an error, not a zero: %j',
  (text) => {
    const file = path()
    writeFileSync(file, text)
    expect(() => new LargestLease(file)).toThrow(/is damaged/)
  },
)

test('a lease that cannot be written down does not count', () => {
  const lease = new LargestLease(join(path(), 'no such folder', 'largest-lease.json'))
  expect(() => lease.raise(5_000)).toThrow(expect.objectContaining({ code: 'io_failed' }))
  expect(lease.leaseMs).toBe(0)
})
