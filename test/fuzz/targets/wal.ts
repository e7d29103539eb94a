/** SQLite's WAL as a primary finds it after a crash. */
import { crc32 } from 'node:zlib'
import {
  FRAME_BYTES,
  FrameBuffer,
  parseWalHeader,
  WAL_HEADER_BYTES,
  type WalHeader,
  writeWalHeader,
} from '../../../shared/sqlite/wal-format.ts'
import { WalReader, type WalTransaction } from '../../../shared/sqlite/wal-reader.ts'
import { damaged } from '../damage.ts'
import { scratch, scratchFile } from '../scratch.ts'
import { countText, requireSame, type Target } from '../target.ts'

interface Frame {
  readonly pgno: number
  /** 0 on all frames of a transaction but its last. */
  readonly commitPages: number
}

const LITTLE: WalHeader = { bigEndian: false, pageBytes: 4_096, sequence: 1, salt1: 5, salt2: 6 }
const FRAMES: readonly Frame[] = [
  { pgno: 1, commitPages: 1 },
  { pgno: 3, commitPages: 0 },
  { pgno: 2, commitPages: 3 },
  { pgno: 2, commitPages: 0 },
  { pgno: 2, commitPages: 2 },
]
const POLLS_MAX = 50

function walOf(header: WalHeader, frames: readonly Frame[]): Buffer {
  const bytes = Buffer.alloc(WAL_HEADER_BYTES)
  const sum = writeWalHeader(bytes, header)
  const buffer = new FrameBuffer(frames.length)
  for (const [index, { pgno, commitPages }] of frames.entries()) {
    buffer.write(index, { pgno, data: Buffer.alloc(header.pageBytes, pgno + index) }, commitPages, header, sum)
  }
  return Buffer.concat([bytes, buffer.bytes])
}

const wal: Buffer = walOf(LITTLE, FRAMES)

/** One line a transaction: the pages are only there until the next poll. */
function transactionsOf(input: Buffer): readonly string[] {
  scratchFile('fuzz.db-wal', input)
  const reader = new WalReader(scratch('fuzz.db'))
  try {
    const found: string[] = []
    for (let polls = 0; polls < POLLS_MAX; polls += 1) {
      const batch = reader.poll()
      if (batch.length === 0) return found
      found.push(...batch.map(lineOf))
    }
    throw new Error('polls without an end')
  } finally {
    reader.close()
  }
}

function lineOf({ startFrame, endFrame, commitPages, pages }: WalTransaction): string {
  const numbers = pages.map(({ pgno }) => pgno)
  const ascend = numbers.every((pgno, at) => pgno <= commitPages && (at === 0 || pgno > numbers[at - 1]!))
  if (!ascend || endFrame < startFrame) throw new Error('pages that cannot be')
  return `${startFrame}-${endFrame} of ${commitPages}: ${pages.map(({ pgno, data }) => `${pgno} ${crc32(data)}`).join()}`
}

let written: readonly string[] | undefined

function runDamaged(input: Buffer): string {
  const found = transactionsOf(input)
  written ??= transactionsOf(wal)
  requireSame(found, written.slice(0, found.length), 'not the beginning of what was written')
  return countText(found.length)
}

/** The checksums of header and frames, of which each goes on from the one before. */
function mend(input: Buffer): Buffer {
  if (input.length < WAL_HEADER_BYTES) return input
  const copy = Buffer.from(input)
  const frames = Math.floor((copy.length - WAL_HEADER_BYTES) / FRAME_BYTES)
  const header = {
    ...LITTLE,
    bigEndian: (copy[3] ?? 0) % 2 === 1,
    pageBytes: copy.readUInt32BE(8),
    salt1: copy.readUInt32BE(16),
  }
  const sum = writeWalHeader(copy, header)
  const buffer = new FrameBuffer(Math.max(1, frames))
  buffer.bytes.set(copy.subarray(WAL_HEADER_BYTES, WAL_HEADER_BYTES + frames * FRAME_BYTES))
  for (let index = 0; index < frames; index += 1) {
    const data = Buffer.from(buffer.page(index))
    buffer.write(index, { pgno: buffer.pgno(index), data }, buffer.commitPages(index), header, sum)
  }
  buffer.bytes.copy(copy, WAL_HEADER_BYTES, 0, frames * FRAME_BYTES)
  return copy
}

export const WAL_TARGETS: readonly Target[] = [
  {
    name: 'WAL',
    seeds: () => [wal, walOf({ ...LITTLE, bigEndian: true }, FRAMES.slice(0, 1)), walOf(LITTLE, FRAMES.slice(0, 3))],
    run: (input) => {
      const header = input.length < WAL_HEADER_BYTES ? undefined : parseWalHeader(input)?.header
      return `${header === undefined ? 'of none' : header.bigEndian ? 'big endian' : 'little endian'}, ${countText(transactionsOf(input).length)}`
    },
    mend,
    codes: ['database_corrupt'],
    every: 8,
    reach: ['of none, none', 'big endian, one', 'little endian, several', 'database_corrupt'],
  },
  {
    name: 'damaged WAL',
    seeds: () => [wal],
    run: runDamaged,
    vary: (random) => damaged(wal, random),
    codes: ['database_corrupt'],
    every: 8,
    reach: ['none', 'one', 'several'],
  },
]
