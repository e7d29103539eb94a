/** A database as a replica has it, whose rows a test writes, and the tables that are made of it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { createAuthorityDatabase } from '../../primary/store/create-database.ts'
import type { RowObserver } from '../../replica/revocations/history.ts'
import { Tables } from '../../replica/tables/tables.ts'
import { systemClock, systemEntropy } from '../../shared/clock.ts'
import { MetaReader } from '../../shared/database/meta.ts'
import { silentLog } from '../../shared/log.ts'
import type { RevocationRow } from '../../shared/verifier/revocation-row.ts'
import { kekFromHex, type Kek } from '../../shared/sealing.ts'
import { openReader, openWritable, type Database } from '../../shared/sqlite/open-database.ts'

export const KEK: Kek = kekFromHex('ab'.repeat(32))
export const KID: string = '1'.repeat(16)

export interface CopyDatabase {
  readonly writer: Database
  readonly tables: (kek?: Kek, onRows?: RowObserver) => Tables
  readonly savedPath: string
}

export function database(): CopyDatabase {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-tables-'))
  const path = join(folder, 'db')
  const savedPath = join(folder, 'revocations.table')
  const writer = openWritable(path)
  createAuthorityDatabase(writer, { cluster: 'test', kek: KEK, clock: systemClock, entropy: systemEntropy })
  const readers: Database[] = []
  onTestFinished(() => {
    for (const connection of [...readers, writer]) connection.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const tables = (kek: Kek = KEK, onRows: RowObserver = () => undefined): Tables => {
    const reader = openReader(path)
    readers.push(reader)
    const made = new Tables({
      cluster: 'test',
      ring: [kek],
      entropy: systemEntropy,
      timers: systemClock,
      log: silentLog,
      savedPath,
      onRows,
    })
    made.attach({ reader, meta: new MetaReader(reader) })
    return made
  }
  return { writer, tables, savedPath }
}

export function nonceOf(seq: number): string {
  return seq.toString(16).padStart(32, '0')
}

export function row(seq: number, expiresAt = 0): RevocationRow {
  return { seq, kind: 'token', kid: KID, nonce: nonceOf(seq), expiresAt }
}

export function revoke(writer: Database, seq: number, kind = 'token', expiresAt = 0): void {
  const key = Buffer.from(KID + nonceOf(seq), 'hex')
  writer
    .prepare('INSERT INTO revocations VALUES (?, ?, ?, ?, 0, ?, ?, ?)')
    .run(seq, kind, 'acme', key, expiresAt, 'somebody', '')
  writer.prepare('UPDATE meta SET txid = txid + 1, revocation_seq = ?').run(seq)
}
