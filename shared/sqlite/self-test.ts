/**
 * Proves at start that file writes and SQLite's memory mapping of the same file are coherent, in both directions, on this
 * platform and file system. The replica's applier depends on it: its readers see its writes only through the mapping. The test
 * takes some milliseconds and leaves no files.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Entropy } from '../clock.ts'
import { MacaroondError } from '../errors.ts'
import { PAGE_BYTES } from '../limits.ts'
import type { Database } from './open-database.ts'
import { openReader, openWritable } from './open-database.ts'
import { createDatabase } from './create-database.ts'
import { DatabaseFile } from './database-file.ts'
import { storageError } from '../files/storage-errors.ts'
import { WalAppender } from './wal-appender.ts'
import { WalReader } from './wal-reader.ts'

const ROUNDS = 3

/** `directory` is the folder of the node's database. Throws platform_unsupported, or the storage error that came first. */
export async function selfTest(directory: string, entropy: Entropy): Promise<void> {
  let scratch = ''
  try {
    scratch = mkdtempSync(join(directory, 'self-test-'))
    await replicate(join(scratch, 'primary'), join(scratch, 'replica'), entropy)
  } catch (error) {
    throw storageError(error, `testing the file system of ${directory}`)
  } finally {
    if (scratch !== '') rmSync(scratch, { recursive: true, force: true })
  }
}

/** Runs a writer and an applier over a database of one row. */
async function replicate(original: string, copy: string, entropy: Entropy): Promise<void> {
  const writer = openScratchWriter(original)
  const log = new WalReader(original)
  try {
    const [first] = log.poll()
    if (first === undefined) throw unsupported('a commit does not show in the -wal file')
    createDatabase(copy, first.commitPages, first.pages)
    await compareRounds(writer, log, copy, entropy)
  } finally {
    writer.close()
    log.close()
  }
}

/** Applies rounds under one reader whose mapping is older than our writes. A checkpoint then tests the other direction. */
async function compareRounds(writer: Database, log: WalReader, copy: string, entropy: Entropy): Promise<void> {
  const file = DatabaseFile.open(copy)
  const appender = WalAppender.open(file, entropy)
  const reader = openReader(copy)
  try {
    for (let round = 1; round <= ROUNDS; round += 1) {
      writer.prepare('UPDATE probe SET round = ?, filler = zeroblob(?)').run(round, round * PAGE_BYTES)
      for (const change of log.poll()) {
        if (!appender.apply(change).applied) throw unsupported('a lock that nobody holds is not free')
      }
      requireRound(reader, round)
      if (round === ROUNDS - 1) await requireCheckpoint(appender)
    }
  } finally {
    reader.close()
    appender.close()
    file.close()
  }
}

/** Creates the database in one transaction. It is not synced, because nobody needs it after a crash. */
function openScratchWriter(path: string): Database {
  const writer = openWritable(path)
  writer.pragma('synchronous = OFF')
  writer.exec('BEGIN; CREATE TABLE probe (round INTEGER, filler BLOB); INSERT INTO probe VALUES (0, NULL); COMMIT')
  return writer
}

function requireRound(reader: Database, round: number): void {
  const seen: unknown = reader.prepare('SELECT round FROM probe').pluck().get()
  if (seen !== round) throw unsupported(`a reader saw round ${String(seen)} instead of ${round}`)
}

async function requireCheckpoint(appender: WalAppender): Promise<void> {
  const outcome = await appender.checkpoint()
  if (outcome.kind !== 'truncated') throw unsupported(`a checkpoint without readers ended as ${outcome.kind}`)
}

function unsupported(what: string): MacaroondError {
  return new MacaroondError('platform_unsupported', `file writes and SQLite's shared memory do not agree: ${what}`, {
    hint: 'keep the database on a local file system of Linux: network and user-space file systems do not share memory with files',
  })
}
