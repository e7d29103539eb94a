import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { SegmentLog } from '../../../primary/commit-log/segment-log.ts'
import { txid } from '../../../shared/ids.ts'

const SEGMENT = Buffer.alloc(5_000, 7)
const KEEP_BYTES = 1_000_000

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'macaroond-log-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

test('the log keeps the amount it was given and about a quarter more, not one whole largest file', () => {
  const path = folder()
  const log = SegmentLog.open(path, KEEP_BYTES)
  for (let next = 1; next <= 1_000; next += 1) {
    log.append(txid(next), SEGMENT)
    if (next % 10 === 0) log.prune()
  }
  expect(log.last).toBe(1_000)
  expect(log.bytes).toBeGreaterThanOrEqual(KEEP_BYTES)
  expect(log.bytes).toBeLessThan(KEEP_BYTES * 1.6)
  const { first } = log
  log.close()
  const again = SegmentLog.open(path, KEEP_BYTES)
  expect([again.first, again.last]).toEqual([first, 1_000])
  expect(again.read(first).equals(SEGMENT)).toBe(true)
  again.close()
  expect(readdirSync(path).length).toBeLessThanOrEqual(7)
})
