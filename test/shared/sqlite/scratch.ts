/** Real databases in scratch directories for the tests of this folder: a primary as the node runs it, and a replica of it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { systemEntropy } from '../../../shared/clock.ts'
import { PAGE_BYTES } from '../../../shared/limits.ts'
import { Checkpointer } from '../../../shared/sqlite/checkpointer.ts'
import type { Database } from '../../../shared/sqlite/open-database.ts'
import { openWritable } from '../../../shared/sqlite/open-database.ts'
import { createDatabase } from '../../../shared/sqlite/create-database.ts'
import { DatabaseFile } from '../../../shared/sqlite/database-file.ts'
import { Guard } from '../../../shared/sqlite/guard.ts'
import { PageSource } from '../../../shared/sqlite/page-source.ts'
import { WalAppender } from '../../../shared/sqlite/wal-appender.ts'
import type { PageImage } from '../../../shared/sqlite/wal-format.ts'
import type { WalTransaction } from '../../../shared/sqlite/wal-reader.ts'
import { WalReader } from '../../../shared/sqlite/wal-reader.ts'

/** A directory that goes with the test. */
export function scratchDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'macaroond-sqlite-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

export interface Primary {
  readonly path: string
  readonly file: DatabaseFile
  readonly writer: Database
  readonly guard: Guard
  readonly log: WalReader
  readonly checkpointer: Checkpointer
  /** How often the log was synced for a checkpoint. */
  readonly syncs: () => number
  readonly close: () => void
}

/** 40 rows that every transaction sets to its own number: a reader that sees two numbers saw a torn state. */
export const ROWS = 40
const SCHEMA = `
  CREATE TABLE meta (id INTEGER PRIMARY KEY, txid INTEGER NOT NULL);
  CREATE TABLE rows (id INTEGER PRIMARY KEY, txid INTEGER NOT NULL, filler BLOB);
  CREATE TABLE bulk (id INTEGER PRIMARY KEY, data BLOB);
  INSERT INTO meta VALUES (1, 0);
  WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < ${ROWS})
  INSERT INTO rows SELECT id, 0, zeroblob(2500) FROM n;
`

export function openPrimary(path: string): Primary {
  const file = DatabaseFile.open(path, { create: true })
  const writer = openWritable(path)
  // Speed of the tests only; what is synced when is tested on its own.
  writer.pragma('synchronous = OFF')
  const guard = Guard.open(path)
  const log = new WalReader(path)
  let syncs = 0
  const checkpointer = new Checkpointer({
    file,
    writer,
    guard,
    consumed: () => log.position,
    fsyncLog: () => {
      syncs += 1
    },
  })
  const close = (): void => {
    log.close()
    guard.close()
    writer.close()
    file.close()
  }
  return { path, file, writer, guard, log, checkpointer, syncs: () => syncs, close }
}

export function createPrimary(path: string = join(scratchDirectory(), 'primary.db')): Primary {
  const primary = openPrimary(path)
  primary.writer.exec(`BEGIN; ${SCHEMA} COMMIT`)
  primary.log.poll()
  return primary
}

/** One transaction as the node makes them: all rows and the number go up by one. */
export function commitRound(writer: Database, extra = ''): number {
  writer.exec(
    `BEGIN; UPDATE meta SET txid = txid + 1; UPDATE rows SET txid = (SELECT txid FROM meta); ${extra}; COMMIT`,
  )
  return Number(writer.prepare('SELECT txid FROM meta').pluck().get())
}

export interface Replica {
  readonly path: string
  readonly file: DatabaseFile
  readonly appender: WalAppender
  readonly close: () => void
}

/** A replica that starts from a snapshot of the primary's last commit. */
export function createReplica(primary: Primary, path: string = join(scratchDirectory(), 'replica.db')): Replica {
  primary.log.poll()
  createDatabase(path, ...snapshot(primary.file))
  return openReplica(path)
}

export function openReplica(path: string): Replica {
  const file = DatabaseFile.open(path)
  const appender = WalAppender.open(file, systemEntropy)
  const close = (): void => {
    appender.close()
    file.close()
  }
  return { path, file, appender, close }
}

/** All pages of the last commit, copied. */
export function snapshot(file: DatabaseFile): [pageCount: number, pages: PageImage[]] {
  const source = PageSource.pin(file)
  const pages: PageImage[] = []
  for (let pgno = 1; pgno <= source.pageCount; pgno += 1) {
    const data = new Uint8Array(PAGE_BYTES)
    source.readPage(pgno, data)
    pages.push({ pgno, data })
  }
  source.release()
  return [pages.length, pages]
}

/** Ships everything that was committed; every transaction must find the replica's lock free. */
export function ship(primary: Primary, replica: Replica): WalTransaction[] {
  const transactions = primary.log.poll()
  for (const transaction of transactions) {
    if (!replica.appender.apply(transaction).applied) throw new Error('the replica is busy')
  }
  return transactions
}

/** The bytes of the database file itself, through the descriptor that stays open. */
export function fileBytes(file: DatabaseFile): Buffer {
  const bytes = Buffer.alloc(file.pageCount * PAGE_BYTES)
  for (let pgno = 1; pgno <= file.pageCount; pgno += 1) {
    file.readPage(pgno, bytes.subarray((pgno - 1) * PAGE_BYTES, pgno * PAGE_BYTES))
  }
  return bytes
}

/** Numbers that the rows and the meta row show inside one statement: more than one of them is a torn state. */
export function roundsSeen(connection: Database): number[] {
  return connection.prepare('SELECT txid FROM rows UNION SELECT txid FROM meta').pluck().all() as number[]
}

/** A database as a crash leaves it: these bytes as the file, those as its -wal, no -shm. */
export function plantDatabase(bytes: Uint8Array, wal: Uint8Array): string {
  const path = join(scratchDirectory(), 'crashed.db')
  writeFileSync(path, bytes)
  writeFileSync(`${path}-wal`, wal)
  return path
}
