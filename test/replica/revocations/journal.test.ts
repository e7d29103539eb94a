import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import type { History } from '../../../replica/revocations/history.ts'
import { RevocationJournal } from '../../../replica/revocations/journal.ts'
import { epoch, timeline } from '../../../shared/ids.ts'
import type { RevocationRow } from '../../../shared/verifier/revocation-row.ts'

const OURS: History = { timeline: timeline('a'.repeat(32)), epoch: epoch(1) }
const LATER: History = { timeline: timeline('b'.repeat(32)), epoch: epoch(2) }

function rows(...seqs: number[]): RevocationRow[] {
  return seqs.map((seq) => ({
    seq,
    kind: 'token',
    kid: '1'.repeat(16),
    nonce: seq.toString(16).padStart(32, '0'),
    expiresAt: 0,
  }))
}

function newPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-journal-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'journal')
}

/** A journal with five rows, and its bytes up to the zeros that are written ahead. */
function written(): { path: string; bytes: Buffer } {
  const path = newPath()
  const journal = new RevocationJournal(path)
  journal.append(OURS, rows(1, 2))
  journal.append(OURS, rows(3, 4, 5))
  journal.close()
  const bytes = readFileSync(path)
  return { path, bytes: bytes.subarray(0, bytes.lastIndexOf('}') + 1) }
}

/** Numbers by epoch, as a restart finds them. */
function reopened(path: string): Record<number, number[]> {
  const journal = new RevocationJournal(path)
  const found: Record<number, number[]> = {}
  for (const part of journal.takeLoaded()) (found[part.epoch] ??= []).push(...part.rows.map(({ seq }) => seq))
  journal.close()
  return found
}

test('an appended revocation is there after a restart', () => {
  expect(reopened(written().path)).toEqual({ 1: [1, 2, 3, 4, 5] })
})

test('a crash at any byte leaves a prefix, and what is appended then is kept', { timeout: 60_000 }, () => {
  const { path, bytes } = written()
  let fewest = 5
  for (let size = bytes.length; size >= 0; size -= 1) {
    writeFileSync(path, bytes.subarray(0, size))
    const journal = new RevocationJournal(path)
    const kept = journal.takeLoaded().flatMap((part) => part.rows)
    expect(kept).toEqual(rows(1, 2, 3, 4, 5).slice(0, kept.length))
    expect(kept.length).toBeLessThanOrEqual(fewest)
    fewest = kept.length
    journal.append(OURS, rows(9))
    journal.close()
    expect(reopened(path)).toEqual({ 1: [...kept.map(({ seq }) => seq), 9] })
  }
  expect(fewest).toBe(0)
})

test('a bit that flipped anywhere leaves a prefix, never another revocation', () => {
  const { path, bytes } = written()
  fc.assert(
    fc.property(fc.integer({ min: 0, max: bytes.length * 8 - 1 }), (bit) => {
      const damaged = Buffer.from(bytes)
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      writeFileSync(path, damaged)
      const found = reopened(path)[1] ?? []
      expect(found).toEqual([1, 2, 3, 4, 5].slice(0, found.length))
    }),
  )
})

test('garbage is no journal, and no failure either', () => {
  const path = newPath()
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      writeFileSync(path, bytes)
      expect(reopened(path)).toEqual({})
    }),
  )
})

test('a kill at any byte of a wipe leaves whole appends, and is no damage', { timeout: 60_000 }, async () => {
  const path = newPath()
  const journal = new RevocationJournal(path)
  const ends = [0]
  for (const some of [rows(1, 2), rows(3), rows(4, 5)]) {
    journal.append(OURS, some)
    await journal.sync()
    ends.push(journal.bytes)
  }
  journal.close()
  const whole = readFileSync(path)
  for (const [place, kept] of [[], [1, 2], [1, 2, 3]].entries()) {
    const [start = 0, end = 0] = [ends[place], ends[place + 1]]
    for (let cut = start + 1; cut <= end; cut += 1) {
      writeFileSync(path, Buffer.from(whole).fill(0, start, cut).fill(0, end))
      // The first bytes of a record are zero anyway.
      if (readFileSync(path).subarray(0, end).equals(whole.subarray(0, end))) continue
      expect(reopened(path), `${cut}`).toEqual(kept.length === 0 ? {} : { 1: kept })
    }
  }
})

test('a journal of many appends is emptied at once', () => {
  const path = newPath()
  const journal = new RevocationJournal(path)
  for (let seq = 1; seq <= 100; seq += 1) journal.append(OURS, rows(seq))
  journal.dropInPages(OURS.timeline, 100)
  expect([journal.bytes, journal.rows()]).toEqual([0, []])
  journal.append(OURS, rows(101))
  journal.close()
  expect(reopened(path)).toEqual({ 1: [101] })
})

test('pages that cover the whole journal empty it, partial ones do not, and nothing old returns', () => {
  const { path } = written()
  const journal = new RevocationJournal(path)
  journal.dropInPages(OURS.timeline, 4)
  expect(reopened(path)).toEqual({ 1: [1, 2, 3, 4, 5] })
  journal.dropInPages(OURS.timeline, 5)
  expect(reopened(path)).toEqual({})
  journal.append(OURS, rows(6))
  journal.close()
  expect(reopened(path)).toEqual({ 1: [6] })
})

test('rows that came again behind higher ones are covered with the highest, not with the last', () => {
  const path = newPath()
  const journal = new RevocationJournal(path)
  journal.append(OURS, rows(6, 7, 8, 9, 10))
  journal.append(OURS, rows(4, 5))
  journal.dropInPages(OURS.timeline, 5)
  journal.close()
  expect(reopened(path)).toEqual({ 1: [6, 7, 8, 9, 10, 4, 5] })
})

test('rows of a later timeline remove nothing: earlier denials stay until its pages hold them', () => {
  const { path } = written()
  const journal = new RevocationJournal(path)
  journal.append(LATER, rows(1, 2))
  journal.dropInPages(LATER.timeline, 100)
  journal.close()
  expect(reopened(path)).toMatchObject({ 1: [1, 2, 3, 4, 5] })
})

test('a large journal drops the rows that pages hold, and the rest is there after a restart', () => {
  const path = newPath()
  const journal = new RevocationJournal(path)
  const large = 40_000
  for (let seq = 1; seq <= large; seq += 1000) {
    journal.append(OURS, rows(...Array.from({ length: 1000 }, (_, index) => seq + index)))
  }
  const before = readFileSync(path).length
  journal.dropInPages(OURS.timeline, large - 3)
  journal.append(OURS, rows(large + 1))
  expect(readFileSync(path).length).toBeLessThan(before / 2)
  journal.close()
  expect(reopened(path)).toEqual({ 1: [large - 2, large - 1, large, large + 1] })
})

/** A record as another version might write it: whole, with a checksum that fits. */
function record(text: string): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(Buffer.byteLength(text), 0)
  head.writeUInt32BE(crc32(text), 4)
  return Buffer.concat([head, Buffer.from(text)])
}

test('a whole record of an unknown kind ends nothing: later records are there, and stay', () => {
  const { path, bytes } = written()
  const newer = { seq: 6, kind: 'device', serial: 'x', expiresAt: 0 }
  writeFileSync(path, Buffer.concat([bytes, record(JSON.stringify(newer)), record(JSON.stringify(rows(7)[0]))]))
  expect(reopened(path)).toEqual({ 1: [1, 2, 3, 4, 5, 6, 7] })
  const journal = new RevocationJournal(path)
  const [part] = journal.takeLoaded()
  expect(part?.rows[5]).toEqual({ kind: 'unknown', seq: 6, record: newer })
  journal.append(OURS, rows(8))
  journal.close()
  expect(reopened(path)).toEqual({ 1: [1, 2, 3, 4, 5, 6, 7, 8] })
})

test.each([
  ['{"seq": 0}'],
  ['{"timeline": "' + 'c'.repeat(32) + '", "epoch": 1, "region": "fra"}'],
  ['{"timeline": "' + 'C'.repeat(32) + '", "epoch": 1}'],
  ['{"timeline": "' + 'c'.repeat(32) + '", "epoch": 4294967296}'],
  ['not JSON'],
  ['[]'],
])('a whole record of neither timeline nor revocation prevents a start and is not wiped: %s', (text) => {
  const { path, bytes } = written()
  const whole = Buffer.concat([bytes, record(text), record(JSON.stringify(rows(6)[0]))])
  writeFileSync(path, whole)
  expect(() => new RevocationJournal(path)).toThrow(expect.objectContaining({ code: 'schema_newer' }))
  expect(readFileSync(path).equals(whole)).toBe(true)
})

test('a revocation of every kind is there after a restart', () => {
  const path = newPath()
  const kinds: RevocationRow[] = [
    ...rows(1),
    { seq: 2, kind: 'subject', org: 'acme', subject: 'ümläut \u0001', untilMs: 5, expiresAt: 0 },
    { seq: 3, kind: 'org', org: 'acme', untilMs: 5, expiresAt: 0 },
    { seq: 4, kind: 'key', org: 'acme', kid: '1'.repeat(16), expiresAt: 0 },
    { seq: 5, kind: 'org_disabled', org: 'acme', expiresAt: 0 },
  ]
  const journal = new RevocationJournal(path)
  journal.append(OURS, kinds)
  journal.close()
  const again = new RevocationJournal(path)
  expect(again.takeLoaded().flatMap((part) => part.rows)).toEqual(kinds)
  again.close()
})

test('an unreadable record before a synced place is damage, stops the start, and is not wiped', async () => {
  const path = newPath()
  const journal = new RevocationJournal(path)
  journal.append(OURS, rows(1, 2))
  const first = readFileSync(path).lastIndexOf('}') + 1
  await journal.sync()
  journal.append(OURS, rows(3, 4))
  journal.append(OURS, rows(5))
  journal.close()
  const whole = readFileSync(path)
  const end = whole.lastIndexOf('}') + 1
  for (let at = 0; at < end; at += 7) {
    const damaged = Buffer.from(whole)
    damaged[at] = (damaged[at] ?? 0) ^ 0x21
    writeFileSync(path, damaged)
    // Behind it a crash may have torn anything, in any order.
    if (at >= first) expect(reopened(path)[1]?.slice(0, 2)).toEqual([1, 2])
    else {
      expect(() => new RevocationJournal(path), `byte ${at}`).toThrow(expect.objectContaining({ code: 'log_corrupt' }))
      expect(readFileSync(path).equals(damaged)).toBe(true)
    }
  }
  writeFileSync(path, whole)
  expect(reopened(path)).toEqual({ 1: [1, 2, 3, 4, 5] })
})

test('a rewritten journal proves its rows: a byte that changes before the last row is damage', async () => {
  const path = newPath()
  const journal = new RevocationJournal(path)
  journal.append(OURS, rows(1))
  journal.append(LATER, rows(1, 2, 3))
  await journal.sync()
  journal.dropBefore(epoch(2))
  const end = journal.bytes
  journal.close()
  expect(reopened(path)).toEqual({ 2: [1, 2, 3] })
  const whole = readFileSync(path)
  const last = whole.lastIndexOf('{', end)
  for (let at = 0; at < last - 8; at += 5) {
    const damaged = Buffer.from(whole)
    damaged[at] = (damaged[at] ?? 0) ^ 0x21
    writeFileSync(path, damaged)
    expect(() => new RevocationJournal(path), `byte ${at}`).toThrow(expect.objectContaining({ code: 'log_corrupt' }))
  }
})

test('a journal that is damaged while it is open keeps its readable rows, and goes on', async () => {
  const path = newPath()
  const journal = new RevocationJournal(path)
  journal.append(OURS, rows(1, 2))
  const sound = journal.bytes
  journal.append(OURS, rows(3, 4))
  await journal.sync()
  const mark = journal.mark()
  const bytes = readFileSync(path)
  bytes[sound + 12] = (bytes[sound + 12] ?? 0) ^ 0x21
  writeFileSync(path, bytes)
  expect(journal.readable().parts.flatMap((part) => part.rows.map(({ seq }) => seq))).toEqual([1, 2])
  expect(journal.dropDamaged(mark)).toBe(true)
  journal.append(OURS, rows(5))
  await journal.sync()
  journal.close()
  expect(reopened(path)).toEqual({ 1: [1, 2, 5] })
})

test('pages that hold rows of a damaged journal leave them where they are, and end nothing', () => {
  const path = newPath()
  const journal = new RevocationJournal(path)
  onTestFinished(() => journal.close())
  for (let first = 1; journal.bytes < 4.1 * 1024 * 1024; first += 1_000) {
    journal.append(OURS, rows(...Array.from({ length: 1_000 }, (_, index) => first + index)))
  }
  const bytes = readFileSync(path)
  bytes[1_000] = (bytes[1_000] ?? 0) ^ 0x21
  writeFileSync(path, bytes)
  const before = journal.bytes
  journal.dropInPages(OURS.timeline, 30_000)
  expect(journal.bytes).toBe(before)
})

test('a record that becomes unreadable while the journal is open is damage, not a torn end', () => {
  const path = newPath()
  const journal = new RevocationJournal(path)
  onTestFinished(() => journal.close())
  journal.append(OURS, rows(1, 2, 3))
  const bytes = readFileSync(path)
  bytes[journal.bytes - 20] = (bytes[journal.bytes - 20] ?? 0) ^ 0x21
  writeFileSync(path, bytes)
  const damage = expect.objectContaining({ code: 'log_corrupt' })
  expect(() => journal.read()).toThrow(damage)
  expect(() => journal.dropBefore(epoch(2))).toThrow(damage)
  expect(readFileSync(path).equals(bytes)).toBe(true)
})

test('a revocation that could not be read back is refused at the write; the longest fits', () => {
  const path = newPath()
  const journal = new RevocationJournal(path)
  const longest: RevocationRow = {
    seq: 1,
    kind: 'subject',
    untilMs: 5,
    expiresAt: 0,
    org: 'o'.repeat(64),
    subject: '\u0001'.repeat(255),
  }
  journal.append(OURS, [longest])
  const newer: RevocationRow = {
    kind: 'unknown',
    seq: 2,
    record: { seq: 2, kind: 'device', serial: 'x'.repeat(4_096) },
  }
  expect(() => journal.append(OURS, [newer])).toThrow(expect.objectContaining({ code: 'request_invalid' }))
  journal.append(OURS, rows(3))
  journal.close()
  const again = new RevocationJournal(path)
  expect(again.takeLoaded().flatMap((part) => part.rows)).toEqual([longest, ...rows(3)])
  again.close()
})

test('rows of a history that was left behind go, and those of the present one stay', () => {
  const { path } = written()
  const journal = new RevocationJournal(path)
  expect([journal.hasBefore(epoch(1)), journal.hasBefore(epoch(2))]).toEqual([false, true])
  journal.append(LATER, rows(1, 2))
  journal.dropBefore(epoch(2))
  expect(journal.hasBefore(epoch(2))).toBe(false)
  journal.append(LATER, rows(3))
  journal.close()
  expect(reopened(path)).toEqual({ 2: [1, 2, 3] })
})
