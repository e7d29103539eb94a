/** Reads the disk of a killed node from a copy, so that the node itself finds everything as it was left. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import Sqlite from 'better-sqlite3'
import { checksum, txid } from '../../shared/ids.ts'
import { PAGE_BYTES } from '../../shared/limits.ts'
import { decodeHeader, type SegmentHeader } from '../../shared/ltx/header.ts'
import { PageChecksums } from '../../shared/ltx/rolling-checksum.ts'
import type { Position } from '../../shared/position.ts'

/** Copies files of a node that does not run. The wal-index is left out: SQLite builds it anew after a crash. */
export function copyNode(data: string, target: string): string {
  rmSync(target, { recursive: true, force: true })
  mkdirSync(join(target, 'log'), { recursive: true })
  for (const name of readdirSync(data, { withFileTypes: true })) {
    if (name.isFile() && !name.name.endsWith('-shm')) copyFileSync(join(data, name.name), join(target, name.name))
  }
  const log = join(data, 'log')
  const names = existsSync(log) ? readdirSync(log).filter((name) => name.endsWith('.segments')) : []
  for (const name of names) copyFileSync(join(log, name), join(target, 'log', name))
  return target
}

/** Opens the copy's database as any program would, which recovers its WAL, and checks its structure. */
export function openSound(database: string): Sqlite.Database {
  const db = new Sqlite(database)
  const found: unknown = db.pragma('integrity_check', { simple: true })
  if (found !== 'ok') throw new Error(`${database}: integrity_check says ${String(found)}`)
  return db
}

/** Ends the connection with everything in the file, and computes the checksum of all its pages. */
export function checksumOnClose(db: Sqlite.Database): Position['checksum'] {
  db.pragma('wal_checkpoint(TRUNCATE)')
  const { name } = db
  db.close()
  const bytes = readFileSync(name)
  const checksums = new PageChecksums(PAGE_BYTES)
  for (let start = 0; start < bytes.length; start += PAGE_BYTES) {
    checksums.set(start / PAGE_BYTES + 1, bytes.subarray(start, start + PAGE_BYTES))
  }
  return checksums.checksum
}

const LOG_MAGIC = 'MSG1'
const LOG_HEADER_BYTES = 12

/** Headers of the whole records in the copy's segment log, in order. A torn end is left out. */
export function segmentHeaders(folder: string): SegmentHeader[] {
  const names = readdirSync(join(folder, 'log')).toSorted()
  return names.flatMap((name) => {
    const bytes = readFileSync(join(folder, 'log', name))
    const headers: SegmentHeader[] = []
    for (let start = 0; start + LOG_HEADER_BYTES <= bytes.length;) {
      const end = start + LOG_HEADER_BYTES + bytes.readUInt32BE(start + 4)
      if (bytes.toString('latin1', start, start + 4) !== LOG_MAGIC || end > bytes.length) break
      headers.push(decodeHeader(bytes.subarray(start + LOG_HEADER_BYTES, end)))
      start = end
    }
    return headers
  })
}

const RECORD_BYTES = 40

/** The positions that a replica's `position` file states. Its CRCs are the product's affair: a torn record is left out by its size. */
export function recordedPositions(file: string): Pick<Position, 'txid' | 'checksum'>[] {
  const bytes = existsSync(file) ? readFileSync(file) : Buffer.alloc(0)
  return Array.from({ length: Math.floor(bytes.length / RECORD_BYTES) }, (_, index) => {
    const record = bytes.subarray(index * RECORD_BYTES)
    return { txid: txid(Number(record.readBigUInt64BE(4))), checksum: checksum(record.readBigUInt64BE(12)) }
  })
}

const JOURNAL_HEADER_BYTES = 8

/** Ids of the revocations in the whole records of a replica's journal. */
export function journalledRevocations(file: string): string[] {
  const bytes = existsSync(file) ? readFileSync(file) : Buffer.alloc(0)
  const ids: string[] = []
  for (let start = 0; start + JOURNAL_HEADER_BYTES <= bytes.length;) {
    const length = bytes.readUInt32BE(start)
    const text = bytes.subarray(start + JOURNAL_HEADER_BYTES, start + JOURNAL_HEADER_BYTES + length)
    if (length === 0 || text.length < length || crc32(text) !== bytes.readUInt32BE(start + 4)) break
    const { kid, nonce } = JSON.parse(text.toString()) as { kid?: string; nonce?: string }
    if (kid !== undefined) ids.push(`${kid}.${nonce}`)
    start += JOURNAL_HEADER_BYTES + length
  }
  return ids
}
