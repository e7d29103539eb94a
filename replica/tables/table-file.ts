/**
 * The saved table of revocations. With this file a start need not read millions of rows from the pages. The file is only a
 * cache: if it is missing, damaged, of another version or history, or ahead of the pages, it is ignored, and all rows are read
 * from the pages.
 *
 * | offset | size | field |
 * |---|---|---|
 * | 0 | 8 | "MCNDREVT" |
 * | 8 | 4 | version, 2; a file of version 1 may lack rows that a wrong clock swept, and is ignored |
 * | 12 | 4 | CRC-32 of all bytes from offset 16 on |
 * | 16 | 4 | length n of the JSON text, padded with spaces to a multiple of 4 |
 * | 20 | n | JSON of the schema `head` below |
 * | 20 + n | | slots of the table, as in memory |
 *
 * Integers of the header are little endian. Those of the slots have the byte order of the machine, which the JSON names.
 */
import { readFileSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { endianness } from 'node:os'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { revocationRow } from '../../shared/verifier/revocation-row.ts'
import { syncDirectory } from '../../shared/files/positional-io.ts'
import { storageError } from '../../shared/files/storage-errors.ts'
import { RevocationTable } from '../../shared/verifier/revocation-table.ts'
import { Revocations } from '../../shared/verifier/revocations.ts'

const MAGIC = 'MCNDREVT'
const VERSION = 2
const CHECKED_OFFSET = 16
const HEAD_OFFSET = 20
const WORD_BYTES = 4

const head = z.strictObject({
  timeline: z.string().length(32),
  /** All revocations of this timeline up to this number are in the table, except outlived ones. */
  seq: z.number().int().positive(),
  last: z.string(),
  /** The time by which the table was swept, unix milliseconds; 0 for never. */
  sweptMs: z.number().int().nonnegative(),
  poison: z.string().optional(),
  endianness: z.literal(endianness()),
  seed: z.string().regex(/^[0-9a-f]{16}$/),
  kids: z.array(z.string()),
  size: z.number().int().nonnegative(),
  cutOffs: z.array(revocationRow),
})

export interface SavedTable {
  readonly timeline: string
  readonly seq: number
  /** The row of number `seq` in the pages, as text. In another history it differs. */
  readonly last: string
  /** Rows that were outlived at this time may be missing. Pages with an earlier issue clock still need them. */
  readonly sweptMs: number
  /** The message of an alarm that is still on. */
  readonly poison: string | undefined
  readonly revocations: Revocations
}

/**
 * Saves a table as it is at the call, even if it changes during the write. A crash leaves the old file or the new one, never a
 * part. Throws disk_full, io_failed.
 */
export async function saveTable(path: string, table: SavedTable): Promise<void> {
  const parts = encode(table)
  const temporary = `${path}.tmp`
  try {
    await write(temporary, parts)
    await rename(temporary, path)
  } catch (error) {
    // On a full disk other files need the space.
    await rm(temporary, { force: true })
    throw storageError(error, 'saving the table of revocations')
  }
  syncDirectory(dirname(path))
}

async function write(path: string, parts: readonly Buffer[]): Promise<void> {
  const file = await open(path, 'w', 0o600)
  try {
    for (const part of parts) await file.writeFile(part)
    await file.datasync()
  } finally {
    await file.close()
  }
}

/** The saved table; undefined if the file is missing or damaged. */
export function loadTable(path: string): SavedTable | undefined {
  try {
    return decode(readFileSync(path))
  } catch {
    return undefined
  }
}

function encode({ timeline, seq, last, sweptMs, poison, revocations }: SavedTable): readonly Buffer[] {
  const { seed, slots, kids, size } = revocations.image()
  const named = {
    timeline,
    seq,
    last,
    sweptMs,
    poison,
    endianness: endianness(),
    seed: Buffer.from(seed).toString('hex'),
    kids,
    size,
  }
  const text = JSON.stringify({ ...named, cutOffs: [...revocations.cutOffs.rows()] })
  const bytes = Buffer.byteLength(text)
  const json = Buffer.from(text + ' '.repeat((WORD_BYTES - (bytes % WORD_BYTES)) % WORD_BYTES))
  const words = Buffer.from(slots.buffer, slots.byteOffset, slots.byteLength)
  const header = Buffer.alloc(HEAD_OFFSET)
  header.write(MAGIC, 'latin1')
  header.writeUInt32LE(VERSION, 8)
  header.writeUInt32LE(json.length, 16)
  header.writeUInt32LE(
    [header.subarray(CHECKED_OFFSET), json, words].reduce((crc, part) => crc32(part, crc), 0),
    12,
  )
  return [header, json, words]
}

function decode(bytes: Buffer): SavedTable | undefined {
  const known = bytes.toString('latin1', 0, 8) === MAGIC && bytes.readUInt32LE(8) === VERSION
  if (!known || crc32(bytes.subarray(CHECKED_OFFSET)) !== bytes.readUInt32LE(12)) return undefined
  const start = HEAD_OFFSET + bytes.readUInt32LE(16)
  const { timeline, seq, last, sweptMs, poison, seed, cutOffs, ...rest } = head.parse(
    JSON.parse(bytes.toString('utf8', HEAD_OFFSET, start)),
  )
  // A copy, because a Uint32Array needs an offset that is a multiple of 4.
  const slots = new Uint32Array(Uint8Array.from(bytes.subarray(start)).buffer)
  const tokens = RevocationTable.fromImage({ ...rest, seed: Buffer.from(seed, 'hex'), slots })
  if (tokens === undefined) return undefined
  const revocations = new Revocations(tokens)
  for (const row of cutOffs) {
    if (row.kind === 'unknown') return undefined
    revocations.take(row)
  }
  return { timeline, seq, last, sweptMs, poison, revocations }
}
