/**
 * Reads the table `revocations` in order. The stream sends the same rows that a replica finds in its pages. The column `key`
 * has everything that a revocation names beside its org:
 *
 * | kind | bytes |
 * |---|---|
 * | token | kid (8), nonce (16) |
 * | subject | issued until (8, unix milliseconds, big endian), subject in UTF-8 |
 * | org | issued until (8) |
 * | key | kid (8) |
 * | org_disabled | none |
 */
import type { Statement } from 'better-sqlite3'
import { decodeUtf8 } from '../macaroon/utf8.ts'
import { readRevocation, type KnownRevocation, type RevocationRow } from '../verifier/revocation-row.ts'
import type { Database } from '../sqlite/open-database.ts'

export interface StoredRevocation {
  readonly seq: number
  readonly kind: string
  readonly org: string
  readonly key: Buffer
  readonly expires_at: number
}

const TOKEN_KEY_BYTES = 24
const TIME_BYTES = 8

export class RevocationLog {
  readonly #after: Statement<[number, number], StoredRevocation>

  constructor(db: Database) {
    this.#after = db.prepare<[number, number], StoredRevocation>(
      'SELECT seq, kind, org, key, expires_at FROM revocations WHERE seq > ? ORDER BY seq LIMIT ?',
    )
  }

  /** At most `limit` rows with a number above `seq`, ascending. */
  after(seq: number, limit: number): RevocationRow[] {
    return this.#after.all(seq, limit).map(rowOfColumns)
  }
}

export function rowOfColumns(columns: StoredRevocation): RevocationRow {
  const { seq, kind, key, expires_at: expiresAt } = columns
  // A short path for tokens: nearly all rows are of this kind, and a start may read millions.
  if (kind === 'token' && key.length === TOKEN_KEY_BYTES && Number.isSafeInteger(expiresAt) && expiresAt >= 0) {
    const hex = key.toString('hex')
    return { seq, kind, kid: hex.slice(0, 16), nonce: hex.slice(16), expiresAt }
  }
  const record = { seq, kind, org: columns.org, key: key.toString('hex'), expiresAt }
  return readRevocation({ ...record, ...namedBy(kind, key) }) ?? { kind: 'unknown', seq, record }
}

export function keyOfRow(row: KnownRevocation): Buffer {
  switch (row.kind) {
    case 'token':
      return Buffer.from(row.kid + row.nonce, 'hex')
    case 'subject':
      return Buffer.concat([timeBytes(row.untilMs), Buffer.from(row.subject)])
    case 'org':
      return timeBytes(row.untilMs)
    case 'key':
      return Buffer.from(row.kid, 'hex')
    case 'org_disabled':
      return Buffer.alloc(0)
  }
}

/** Decodes `key`. A key of the wrong length gives too few fields, and `readRevocation` then does not accept the row. */
function namedBy(kind: string, key: Buffer): object {
  const hex = key.toString('hex')
  if (kind === 'token') return { kid: hex.slice(0, 16), nonce: hex.slice(16) }
  if (kind === 'key') return { kid: hex }
  if (kind === 'org' && key.length === TIME_BYTES) return { untilMs: timeOf(key) }
  if (kind !== 'subject' || key.length < TIME_BYTES) return {}
  return { untilMs: timeOf(key), subject: decodeUtf8(key.subarray(TIME_BYTES)) }
}

function timeBytes(ms: number): Buffer {
  const bytes = Buffer.alloc(TIME_BYTES)
  bytes.writeBigUInt64BE(BigInt(ms))
  return bytes
}

function timeOf(key: Buffer): number {
  return Number(key.readBigUInt64BE())
}
