/** A primary that commits, records and checkpoints without a pause until it is killed; it says what it has recorded. */
import { existsSync, ftruncateSync, openSync, readFileSync, writeSync, fdatasyncSync } from 'node:fs'
import { Checkpointer } from '../../../shared/sqlite/checkpointer.ts'
import { openReader, openWritable } from '../../../shared/sqlite/open-database.ts'
import { DatabaseFile } from '../../../shared/sqlite/database-file.ts'
import { Guard } from '../../../shared/sqlite/guard.ts'
import { WalReader } from '../../../shared/sqlite/wal-reader.ts'
import { decodeRecords, encodeRecord } from './page-record.ts'

const [path = '', logPath = '', seed = '1'] = process.argv.slice(2)
let state = Number(seed)
const random = (below: number): number => {
  state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
  return state % below
}

const known = existsSync(logPath) ? decodeRecords(readFileSync(logPath)) : { records: [], end: 0 }
const last = known.records.at(-1)
const records = openSync(logPath, 'a')
ftruncateSync(records, known.end)

const file = DatabaseFile.open(path, { create: true })
const writer = openWritable(path)
const guard = Guard.open(path)
const log = new WalReader(
  path,
  last === undefined ? undefined : { salt1: last.salt1, salt2: last.salt2, frame: last.endFrame },
)
let recorded = last?.txid ?? 0

function record(expected: number): void {
  let count = 0
  for (let found = log.poll(); found.length > 0; found = log.poll()) {
    for (const transaction of found) writeSync(records, encodeRecord((recorded += 1), transaction))
    count += found.length
  }
  if (expected > 0 && count !== expected) throw new Error(`${count} transactions after ${expected}`)
  if (count > 0) process.stdout.write(`${recorded}\n`)
}

const isNew = writer.prepare(`SELECT count(*) FROM sqlite_schema`).pluck().get() === 0
if (isNew) {
  writer.exec(`BEGIN; CREATE TABLE meta (txid INTEGER); CREATE TABLE log (seq INTEGER PRIMARY KEY, data BLOB, txid INTEGER);
    INSERT INTO meta VALUES (1); COMMIT`)
}
record(0)
const committed: unknown = writer.prepare('SELECT txid FROM meta').pluck().get()
if (committed !== recorded) throw new Error(`the database is at ${String(committed)}, its log at ${recorded}`)

const consumed = (): typeof log.position => log.position
const checkpointer = new Checkpointer({ file, writer, guard, consumed, fsyncLog: () => fdatasyncSync(records) })
const reader = openReader(path)
const bump = writer.prepare('UPDATE meta SET txid = txid + 1')
const insert = writer.prepare('INSERT INTO log(data, txid) SELECT randomblob(?), txid FROM meta')
const trim = writer.prepare('DELETE FROM log WHERE seq <= (SELECT max(seq) - ? FROM log)')
const transact = writer.transaction((bytes: number) => {
  bump.run()
  insert.run(bytes)
  if (random(5) === 0) trim.run(random(20))
})
for (;;) {
  transact(random(10) === 0 ? 60_000 : 20)
  record(1)
  if (reader.prepare('SELECT txid FROM meta').pluck().get() !== recorded) throw new Error('a reader is behind')
  if (random(12) === 0) await checkpointer.checkpoint(5)
}
