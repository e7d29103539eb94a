/** Targets of a node's own disk, which a crash tears and time damages: the journal of revocations, and positions. */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import {
  decodeJournal,
  encodeRow,
  encodeTimeline,
  type JournalPart,
} from '../../../replica/revocations/journal-records.ts'
import { DenialsReader, DenialsWriter } from '../../../replica/denials/file.ts'
import { PositionRecord } from '../../../replica/store/position-record.ts'
import { epoch, timeline, txid } from '../../../shared/ids.ts'
import { columnsOfRow, type Denial, rowOfDenial } from '../../../shared/protocol/denials.ts'
import { damaged } from '../damage.ts'
import { POSITION, TIMELINE } from '../fixed.ts'
import { mendRecords } from '../mend-records.ts'
import { ROWS } from '../samples.ts'
import { scratch, scratchFile } from '../scratch.ts'
import { countText, requireSame, type Target } from '../target.ts'

const PARTS: readonly JournalPart[] = [
  { timeline: TIMELINE, epoch: epoch(3), rows: [...ROWS] },
  { timeline: timeline('cd'.repeat(16)), epoch: epoch(4), rows: ROWS.slice(1, 3) },
]

const recordsOf = (parts: readonly JournalPart[]): readonly Buffer[] =>
  parts.flatMap((part) => [encodeTimeline(part), ...part.rows.map(encodeRow)])

/** With the zeros that are written ahead. */
const JOURNAL: Buffer = Buffer.concat([...recordsOf(PARTS), Buffer.alloc(64)])

function runJournal(input: Buffer): string {
  const { parts, end } = decodeJournal(input)
  if (end > input.length) throw new Error('it ends behind its end')
  const again = decodeJournal(Buffer.concat(recordsOf(parts)))
  requireSame(linesOf(again.parts), linesOf(parts), 'a journal reads differently when written again')
  return countText(parts.flatMap(({ rows }) => rows).length)
}

/** That people were told of a row is not written down with it. */
const linesOf = (parts: readonly JournalPart[]): readonly unknown[] =>
  parts.flatMap(({ timeline: line, epoch: of, rows }) => [
    [line, of],
    ...rows.map((row) => ({ ...row, poison: false })),
  ])

const WRITTEN: readonly unknown[] = linesOf(decodeJournal(JOURNAL).parts)

function runDamagedJournal(input: Buffer): string {
  const found = linesOf(decodeJournal(input).parts)
  const written = WRITTEN
  requireSame(found, written.slice(0, found.length), 'not the beginning of what was written')
  return found.length === written.length ? 'whole' : 'a beginning'
}

const STANDINGS = [1, 2, 3].map((number) => ({
  position: { ...POSITION, txid: txid(POSITION.txid + number) },
  timeline: TIMELINE,
}))

function positions(): Buffer {
  const path = scratch('written.positions')
  if (existsSync(path)) rmSync(path)
  const record = new PositionRecord(path)
  for (const standing of STANDINGS) record.append(standing)
  record.close()
  return readFileSync(path)
}

function runPositions(input: Buffer): string {
  const record = new PositionRecord(scratchFile('read.positions', input))
  try {
    const found = STANDINGS.map(({ position }) => record.find(position.epoch, position.txid))
    const added = { ...STANDINGS[0]!, position: { ...POSITION, epoch: epoch(9) } }
    record.append(added)
    requireText(record.find(added.position.epoch, added.position.txid), added)
    return countText(found.filter((one) => one !== undefined).length)
  } finally {
    record.close()
  }
}

function requireText(found: unknown, expected: unknown): void {
  const text = (value: unknown): string =>
    JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? `${part}` : part))
  if (text(found) !== text(expected)) throw new Error('what was written is not found')
}

/** Records of a fixed size, each with a CRC-32 at its end. */
function mendPositions(input: Buffer): Buffer {
  const copy = Buffer.from(input)
  for (let at = 0; at + 40 <= copy.length; at += 40) copy.writeUInt32BE(crc32(copy.subarray(at, at + 36)), at + 36)
  return copy
}

const DENIED: readonly Denial[] = ROWS.flatMap((row) => {
  if (row.kind === 'unknown') return []
  return [{ timeline: TIMELINE, epoch: epoch(3), seq: row.seq, columns: columnsOfRow(row, 'acme') }]
})

function denialsFile(): Buffer {
  const path = scratch('written.denials')
  const writer = new DenialsWriter(path)
  for (const denial of DENIED) writer.add(denial)
  void writer.finish()
  // All of it is written before it waits for the disk.
  return readFileSync(`${path}.tmp`)
}

/** Records behind a header. */
function mendDenials(input: Buffer): Buffer {
  return Buffer.concat([input.subarray(0, 12), mendRecords(input.subarray(12), { magic: 0, header: 8 })])
}

function runDenials(input: Buffer): string {
  const reader = new DenialsReader(scratchFile('read.denials', input))
  try {
    return countText([...reader.rows()].map(({ denial }) => rowOfDenial(denial)).length)
  } finally {
    reader.close()
  }
}

export const DISK_TARGETS: readonly Target[] = [
  {
    name: 'journal',
    seeds: () => [JOURNAL, Buffer.concat(recordsOf(PARTS.slice(1)))],
    run: runJournal,
    mend: (input) => mendRecords(input, { magic: 0, header: 8 }),
    codes: ['log_corrupt', 'schema_newer'],
    reach: ['none', 'several', 'schema_newer'],
  },
  {
    name: 'damaged journal',
    seeds: () => [JOURNAL],
    run: runDamagedJournal,
    vary: (random) => damaged(JOURNAL, random),
    codes: ['log_corrupt'],
    reach: ['whole', 'a beginning', 'log_corrupt'],
  },
  {
    name: 'denials',
    seeds: () => [denialsFile()],
    run: runDenials,
    mend: mendDenials,
    codes: ['log_corrupt'],
    every: 4,
    reach: ['several', 'log_corrupt'],
  },
  {
    name: 'positions',
    seeds: () => [positions()],
    run: runPositions,
    mend: mendPositions,
    codes: [],
    every: 4,
    reach: ['none', 'several'],
  },
]
