import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { RevocationJournal } from '../../../replica/revocations/journal.ts'
import { timeline, type Timeline } from '../../../shared/ids.ts'
import type { RevocationRow } from '../../../shared/protocol/revocations.ts'

const OURS: Timeline = timeline('a'.repeat(32))
const THEIRS: Timeline = timeline('b'.repeat(32))

function row(seq: number): RevocationRow {
  return { seq, kind: 'token', kid: '1'.repeat(16), nonce: seq.toString(16).padStart(32, '0'), expiresAt: 0 }
}

const ROWS = [1, 2, 3, 4, 5].map((seq) => row(seq))

function newPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-journal-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'journal')
}

function written(): { path: string; bytes: Buffer } {
  const path = newPath()
  const journal = new RevocationJournal(path)
  journal.append(OURS, ROWS.slice(0, 2))
  journal.append(OURS, ROWS.slice(2))
  journal.close()
  return { path, bytes: readFileSync(path) }
}

function reopened(path: string): { rows: readonly RevocationRow[]; line: Timeline | undefined } {
  const journal = new RevocationJournal(path)
  const { rows, timeline: line } = journal
  journal.close()
  return { rows, line }
}

test('what was appended is there after a restart', () => {
  expect(reopened(written().path)).toEqual({ rows: ROWS, line: OURS })
})

test('a crash at any byte leaves a prefix, and what is appended then is kept', () => {
  const { path, bytes } = written()
  let fewest = ROWS.length
  for (let size = bytes.length; size >= 0; size -= 1) {
    writeFileSync(path, bytes.subarray(0, size))
    const journal = new RevocationJournal(path)
    const { rows } = journal
    expect(rows).toEqual(ROWS.slice(0, rows.length))
    expect(rows.length).toBeLessThanOrEqual(fewest)
    fewest = rows.length
    const kept = [...rows]
    journal.append(OURS, [row(9)])
    journal.close()
    expect(reopened(path)).toEqual({ rows: [...kept, row(9)], line: OURS })
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
      const { rows } = reopened(path)
      expect(rows).toEqual(ROWS.slice(0, rows.length))
    }),
  )
})

test('garbage is no journal, and no failure either', () => {
  const path = newPath()
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      writeFileSync(path, bytes)
      expect(reopened(path).rows).toEqual([])
    }),
  )
})

test('pages that cover all of it empty it, pages that cover a part do not', () => {
  const { path } = written()
  const journal = new RevocationJournal(path)
  journal.covered(4)
  expect(journal.rows).toHaveLength(5)
  journal.covered(5)
  expect(journal.rows).toEqual([])
  expect(statSync(path).size).toBe(0)
  journal.append(OURS, [row(6)])
  journal.close()
  expect(reopened(path)).toEqual({ rows: [row(6)], line: OURS })
})

test('rows of another timeline take the place of those that were there', () => {
  const { path } = written()
  const journal = new RevocationJournal(path)
  journal.append(THEIRS, [row(1)])
  journal.close()
  expect(reopened(path)).toEqual({ rows: [row(1)], line: THEIRS })
})

test('what could not be synced is not kept, so that it comes again and is written again', async () => {
  const path = newPath()
  const journal = new RevocationJournal(path)
  journal.append(OURS, ROWS.slice(0, 2))
  await journal.sync()
  journal.append(OURS, ROWS.slice(2))
  journal.close()
  // The descriptor is gone, which is a failure of the disk as far as the journal can tell.
  await expect(journal.sync()).rejects.toThrow('EBADF')
  expect(journal.rows).toEqual(ROWS.slice(0, 2))
  expect(journal.timeline).toBe(OURS)
})

test('a sync from before the journal was emptied says nothing of what came after', async () => {
  const journal = new RevocationJournal(newPath())
  journal.append(OURS, ROWS)
  const synced = journal.sync()
  journal.covered(5)
  journal.append(OURS, [row(6)])
  await synced
  journal.close()
  await expect(journal.sync()).rejects.toThrow('EBADF')
  expect(journal.rows).toEqual([])
})
