/** The segment log after a crash, a bad disk or a flipped bit: it is a prefix or an error, never other bytes. */
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { SegmentLog } from '../../../primary/commit-log/segment-log.ts'
import { txid } from '../../../shared/ids.ts'
import { codeOf } from '../../shared/code-of.ts'

const KEEP_BYTES = 1_000_000
const HEADER_BYTES = 12

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'macaroond-log-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

function segmentOf(number: number, bytes: number = 40): Buffer {
  return Buffer.alloc(bytes, number)
}

/** A closed log with segments 1 to `count`, in one file; its path. */
function logOf(count: number, bytes?: number): { path: string; file: string } {
  const path = folder()
  const log = SegmentLog.open(path, KEEP_BYTES)
  for (let next = 1; next <= count; next += 1) log.append(txid(next), segmentOf(next, bytes))
  log.close()
  return { path, file: join(path, readdirSync(path)[0] ?? '') }
}

function readAll(log: SegmentLog): Buffer[] {
  const count = log.last === 0 ? 0 : log.last - log.first + 1
  return Array.from({ length: count }, (_, index) => log.read(txid(log.first + index)))
}

test('a crash at any byte leaves the whole records before it, and the next ones follow them', () => {
  const { path, file } = logOf(4)
  const whole = readFileSync(file)
  for (let size = 0; size <= whole.length; size += 1) {
    writeFileSync(file, whole.subarray(0, size))
    const log = SegmentLog.open(path, KEEP_BYTES)
    const left = Math.floor(size / (HEADER_BYTES + 40))
    expect(log.last).toBe(left)
    expect(readAll(log)).toEqual(Array.from({ length: left }, (_, index) => segmentOf(index + 1)))
    log.append(txid(left + 1), segmentOf(99))
    log.close()
    const again = SegmentLog.open(path, KEEP_BYTES)
    expect(again.last).toBe(left + 1)
    expect(again.read(txid(left + 1))).toEqual(segmentOf(99))
    again.close()
    expect(readdirSync(path)).toHaveLength(1)
  }
})

test('a power cut that tore several unsynced records leaves the whole ones before them', () => {
  const { path, file } = logOf(5)
  const whole = readFileSync(file)
  const record = HEADER_BYTES + 40
  // The bytes of the fourth never came to the disk, of the fifth only the beginning did.
  const torn = Buffer.concat([
    whole.subarray(0, 3 * record + HEADER_BYTES),
    Buffer.alloc(40),
    whole.subarray(4 * record),
  ])
  writeFileSync(file, torn.subarray(0, 4 * record + 20))
  const log = SegmentLog.open(path, KEEP_BYTES)
  expect(readAll(log)).toEqual([1, 2, 3].map((number) => segmentOf(number)))
  log.append(txid(4), segmentOf(99))
  log.close()
})

test('a bit that flipped anywhere is an error or a shorter log, never another segment', () => {
  const { path, file } = logOf(5)
  const whole = readFileSync(file)
  fc.assert(
    fc.property(fc.integer({ min: 0, max: whole.length * 8 - 1 }), (bit) => {
      const bytes = Buffer.from(whole)
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      writeFileSync(file, bytes)
      const log = SegmentLog.open(path, KEEP_BYTES)
      for (let next = 1; next <= log.last; next += 1) {
        const code = codeOf(() => expect(log.read(txid(next))).toEqual(segmentOf(next)))
        expect(['no error', 'log_corrupt']).toContain(code)
      }
      log.close()
    }),
  )
})

test('a damaged record with others behind it takes none of them with it', () => {
  const { path, file } = logOf(5)
  const bytes = readFileSync(file)
  const third = 2 * (HEADER_BYTES + 40)
  bytes[third + HEADER_BYTES + 3] = 0xff
  writeFileSync(file, bytes)
  const log = SegmentLog.open(path, KEEP_BYTES)
  expect(log.last).toBe(5)
  expect(codeOf(() => log.read(txid(3)))).toBe('log_corrupt')
  for (const next of [1, 2, 4, 5]) expect(log.read(txid(next))).toEqual(segmentOf(next))
  log.close()
})

/** Records so large that four of them fill a file. */
const LARGE = 60_000

test('files rotate, are opened again in order, and go from the old end', () => {
  const { path } = logOf(30, LARGE)
  expect(readdirSync(path).length).toBeGreaterThan(3)
  const log = SegmentLog.open(path, KEEP_BYTES)
  expect([log.first, log.last]).toEqual([1, 30])
  expect(log.read(txid(17))).toEqual(segmentOf(17, LARGE))
  log.prune()
  expect(log.first).toBeGreaterThan(1)
  expect(log.has(txid(1))).toBe(false)
  expect(log.has(log.first)).toBe(true)
  expect(log.has(txid(31))).toBe(false)
  expect(log.read(txid(30))).toEqual(segmentOf(30, LARGE))
  log.close()
})

test('a file that a crash left empty is used again, and pruning does not delete it under the log', () => {
  const { path } = logOf(30, LARGE)
  const newest = readdirSync(path).toSorted().at(-1) ?? ''
  const first = Number.parseInt(newest, 16)
  truncateSync(join(path, newest), 0)
  const log = SegmentLog.open(path, KEEP_BYTES)
  expect(log.last).toBe(first - 1)
  for (let next = first; next < first + 60; next += 1) {
    log.append(txid(next), segmentOf(next & 0xff, LARGE))
    log.prune()
  }
  log.close()
  const again = SegmentLog.open(path, KEEP_BYTES)
  expect(again.last).toBe(first + 59)
  expect(again.read(again.last)).toEqual(segmentOf((first + 59) & 0xff, LARGE))
  again.close()
})

test('a hole between two files, or a torn end of an older one, is an error and never skipped', () => {
  const { path } = logOf(30, LARGE)
  const [first = '', second = ''] = readdirSync(path).toSorted()
  const bytes = readFileSync(join(path, first))
  writeFileSync(join(path, first), bytes.subarray(0, bytes.length - 1))
  expect(codeOf(() => SegmentLog.open(path, KEEP_BYTES))).toBe('log_corrupt')
  writeFileSync(join(path, first), bytes)
  rmSync(join(path, second))
  expect(codeOf(() => SegmentLog.open(path, KEEP_BYTES))).toBe('log_corrupt')
})

test('a record that does not follow the last one is a broken invariant', () => {
  const { path } = logOf(2)
  const log = SegmentLog.open(path, KEEP_BYTES)
  expect(() => log.append(txid(2), segmentOf(2))).toThrow('invariant broken')
  expect(() => log.append(txid(4), segmentOf(4))).toThrow('invariant broken')
  log.close()
})

test('a length beyond every limit is no record', () => {
  const { path, file } = logOf(1)
  const fd = openSync(file, 'a')
  const header = Buffer.alloc(HEADER_BYTES)
  header.write('MSG1')
  header.writeUInt32BE(0xffffffff, 4)
  writeSync(fd, header)
  closeSync(fd)
  const log = SegmentLog.open(path, KEEP_BYTES)
  expect(log.last).toBe(1)
  log.close()
})

test('a record with its start on disk and zeros after is a torn end, not an empty transaction', () => {
  for (const kept of [4, 8, HEADER_BYTES]) {
    const { path, file } = logOf(3)
    const start = 2 * (HEADER_BYTES + 40)
    const bytes = readFileSync(file)
    writeFileSync(file, bytes.fill(0, start + kept))
    const log = SegmentLog.open(path, KEEP_BYTES)
    expect(log.last).toBe(2)
    log.append(txid(3), segmentOf(3))
    expect(log.read(txid(3)).equals(segmentOf(3))).toBe(true)
    log.close()
  }
})
