/** A replica that applies the same round of transactions again and again until it is killed; it says what it has synced. */
import { readFileSync } from 'node:fs'
import { systemEntropy } from '../../../shared/clock.ts'
import { openReader } from '../../../shared/sqlite/open-database.ts'
import { DatabaseFile } from '../../../shared/sqlite/database-file.ts'
import { WalAppender } from '../../../shared/sqlite/wal-appender.ts'
import { roundsSeen } from '../../shared/sqlite/scratch.ts'
import { decodeRecords } from './page-record.ts'

const [path = '', logPath = ''] = process.argv.slice(2)
const { records } = decodeRecords(readFileSync(logPath))
const file = DatabaseFile.open(path)
const appender = WalAppender.open(file, systemEntropy)
const reader = openReader(path)
const [start = 0, ...others] = roundsSeen(reader)
if (others.length > 0) throw new Error('torn after the start')
process.stdout.write(`${start}\n`)
for (let next = start; ;) {
  const record = records[next % records.length]
  if (record === undefined) throw new Error('no records')
  if (!appender.apply(record).applied) continue
  if (next % 3 === 0) appender.sync()
  if (roundsSeen(reader)[0] !== record.txid) throw new Error('a reader is behind')
  next = record.txid
  process.stdout.write(`${next}\n`)
  if (next % 7 === 0) await appender.checkpoint(5)
}
