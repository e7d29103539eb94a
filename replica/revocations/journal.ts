/**
 * Revocations that came on the stream before their pages did: small, fsynced, and what this replica acknowledges. It is
 * read at start, so that a token refused before a restart is refused after it, even in the middle of a long catch-up (S3).
 *
 * The first record names the timeline, each further one is a revocation; a record is
 * | offset | size | field |
 * |---|---|---|
 * | 0 | 4 | length n of the JSON text, big endian |
 * | 4 | 4 | CRC-32 of the JSON text |
 * | 8 | n | JSON: {"timeline": …} or a revocation row |
 */
import { closeSync, constants, fdatasync, ftruncateSync, openSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { timeline as asTimeline, type Timeline } from '../../shared/ids.ts'
import { writeAt } from '../../shared/sqlite/positional-io.ts'
import { revocationRow, type RevocationRow } from '../../shared/protocol/revocations.ts'

const HEADER_BYTES = 8
const ROW_BYTES_MAX = 4096

const header = z.object({ timeline: z.string().length(32) })

const fdatasyncInBackground = promisify(fdatasync)

export class RevocationJournal {
  readonly #fd: number
  #bytes: number
  #timeline: Timeline | undefined
  #rows: RevocationRow[] = []
  /** What is known to be on the disk. */
  #durable: { readonly bytes: number; readonly rows: number }
  /** Counts how often the journal was emptied: a sync from before says nothing of what came after. */
  #life = 0

  constructor(path: string) {
    this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
    this.#bytes = this.#load(readFileSync(path))
    ftruncateSync(this.#fd, this.#bytes)
    this.#durable = { bytes: this.#bytes, rows: this.#rows.length }
  }

  get rows(): readonly RevocationRow[] {
    return this.#rows
  }

  get timeline(): Timeline | undefined {
    return this.#timeline
  }

  /** Durable after `sync`; a restart of the process alone loses nothing. Rows of another timeline than the journal's take its place. */
  append(timeline: Timeline, rows: readonly RevocationRow[]): void {
    const records = rows.map(encode)
    if (this.#timeline !== timeline) {
      this.#clear()
      records.unshift(encode({ timeline }))
    }
    const bytes = Buffer.concat(records)
    // At a position: what a full disk took of a record is overwritten by the next one.
    writeAt(this.#fd, bytes, 0, bytes.length, this.#bytes)
    this.#bytes += bytes.length
    this.#timeline = timeline
    this.#rows.push(...rows)
  }

  /**
   * Resolves when all that was appended before the call is durable. The disk works while the node goes on: a new
   * revocation must not wait for the fsync of the one before. One call at a time; close only after it. When it rejects,
   * what was not durable before is no longer here: after a failed fsync the kernel may call dirty pages clean.
   */
  async sync(): Promise<void> {
    const life = this.#life
    const reached = { bytes: this.#bytes, rows: this.#rows.length }
    try {
      await fdatasyncInBackground(this.#fd)
    } catch (error) {
      this.#takeBack()
      throw error
    }
    if (life === this.#life) this.#durable = reached
  }

  /** The pages up to this revocation are durable: when they cover all that is here, the journal starts anew. */
  covered(seq: number): void {
    const last = this.#rows.at(-1)
    if (last !== undefined && last.seq <= seq) this.#clear()
  }

  close(): void {
    closeSync(this.#fd)
  }

  #clear(): void {
    ftruncateSync(this.#fd, 0)
    this.#bytes = 0
    this.#rows = []
    this.#timeline = undefined
    this.#durable = { bytes: 0, rows: 0 }
    this.#life += 1
  }

  #takeBack(): void {
    this.#bytes = this.#durable.bytes
    this.#rows.length = this.#durable.rows
    if (this.#bytes === 0) this.#timeline = undefined
  }

  /** Reads whole records; returns where the last whole one ends. */
  #load(bytes: Buffer): number {
    let start = 0
    for (;;) {
      const text = recordAt(bytes, start)
      if (text === undefined) return start
      const value: unknown = JSON.parse(text.toString('utf8'))
      if (start === 0) this.#timeline = asTimeline(header.parse(value).timeline)
      else this.#rows.push(revocationRow.parse(value))
      start += HEADER_BYTES + text.length
    }
  }
}

function encode(value: object): Buffer {
  const text = Buffer.from(JSON.stringify(value))
  const record = Buffer.allocUnsafe(HEADER_BYTES + text.length)
  record.writeUInt32BE(text.length, 0)
  record.writeUInt32BE(crc32(text), 4)
  text.copy(record, HEADER_BYTES)
  return record
}

function recordAt(bytes: Buffer, start: number): Buffer | undefined {
  if (start + HEADER_BYTES > bytes.length) return undefined
  const length = bytes.readUInt32BE(start)
  const end = start + HEADER_BYTES + length
  if (length > ROW_BYTES_MAX || end > bytes.length) return undefined
  const text = bytes.subarray(start + HEADER_BYTES, end)
  return crc32(text) === bytes.readUInt32BE(start + 4) ? text : undefined
}
