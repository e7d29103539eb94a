import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import type { AppliedState } from '../../../replica/follower/core.ts'
import { PositionRecord } from '../../../replica/store/position-record.ts'
import { checksum, epoch, timeline, txid } from '../../../shared/ids.ts'

const RECORD_BYTES = 40

function applied(at: number, branch = 0): AppliedState {
  const content = checksum((1n << 63n) | (BigInt(branch) << 40n) | BigInt(at))
  return { position: { epoch: epoch(1), txid: txid(at), checksum: content }, timeline: timeline('a'.repeat(32)) }
}

function newPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-position-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'position')
}

function written(count: number): { path: string; bytes: Buffer } {
  const path = newPath()
  const record = new PositionRecord(path)
  for (let at = 1; at <= count; at += 1) record.append(applied(at))
  record.close()
  return { path, bytes: readFileSync(path) }
}

function find(path: string, at: number): AppliedState | undefined {
  const record = new PositionRecord(path)
  const found = record.find(epoch(1), txid(at))
  record.close()
  return found
}

test('every recorded transaction is found with its own checksum, over a restart', () => {
  const { path } = written(5)
  for (let at = 1; at <= 5; at += 1) expect(find(path, at)).toEqual(applied(at))
  expect(find(path, 6)).toBeUndefined()
  expect(find(path, 0)).toBeUndefined()
})

test('the newest record of a transaction counts', () => {
  const path = newPath()
  const record = new PositionRecord(path)
  record.append(applied(1))
  record.append(applied(1, 7))
  record.close()
  expect(find(path, 1)).toEqual(applied(1, 7))
})

test('a crash at any byte leaves whole records, and what is appended then is found', () => {
  const { path, bytes } = written(4)
  for (let size = 0; size <= bytes.length; size += 1) {
    writeFileSync(path, bytes.subarray(0, size))
    const record = new PositionRecord(path)
    const whole = Math.floor(size / RECORD_BYTES)
    for (let at = 1; at <= 4; at += 1) {
      expect(record.find(epoch(1), txid(at))).toEqual(at <= whole ? applied(at) : undefined)
    }
    record.append(applied(9))
    record.close()
    expect(find(path, 9)).toEqual(applied(9))
  }
})

test('a bit that flipped loses one record at most and changes none', () => {
  const { path, bytes } = written(4)
  fc.assert(
    fc.property(fc.integer({ min: 0, max: bytes.length * 8 - 1 }), (bit) => {
      const damaged = Buffer.from(bytes)
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      writeFileSync(path, damaged)
      const found = [1, 2, 3, 4].map((at) => find(path, at))
      for (const [index, one] of found.entries()) if (one !== undefined) expect(one).toEqual(applied(index + 1))
      expect(found.filter((one) => one === undefined)).toHaveLength(1)
    }),
  )
})

test('the file stays small, and the last record is always there', () => {
  const { path } = written(10_000)
  expect(statSync(path).size).toBeLessThanOrEqual(RECORD_BYTES * 8192)
  expect(find(path, 10_000)).toEqual(applied(10_000))
})

test('a whole record of a transaction that there cannot be is passed over', () => {
  const { path, bytes } = written(2)
  bytes.writeUInt32BE(2 ** 21, 4)
  bytes.writeUInt32BE(crc32(bytes.subarray(0, RECORD_BYTES - 4)), RECORD_BYTES - 4)
  writeFileSync(path, bytes)
  expect([1, 2].map((at) => find(path, at))).toEqual([undefined, applied(2)])
})
