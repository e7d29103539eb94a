/**
 * The same authority without shipping: the same commands decided by the same core, grouped by the same writer, the same
 * rows in a database with the same pragmas, but no capture of the WAL, no segment log and nobody to send to. SQLite
 * checkpoints by itself at the size at which a primary would.
 */
import { GroupWriter } from '../../primary/commit-log/group-writer.ts'
import { primaryConfig } from '../../primary/config.ts'
import { createAuthorityDatabase } from '../../primary/store/create-database.ts'
import { loadState } from '../../primary/store/load-state.ts'
import { RowWriter } from '../../primary/store/row-writer.ts'
import { systemClock, systemEntropy } from '../../shared/clock.ts'
import { checksum, txid } from '../../shared/ids.ts'
import { kekFromHex } from '../../shared/sealing.ts'
import { openWritable, type Database } from '../../shared/sqlite/open-database.ts'
import { fill, ORG, type FillParams } from './load.ts'
import { serve } from './process.ts'

let writer: GroupWriter | undefined
let db: Database | undefined

function openAuthority(path: string, kekHex: string, checkpointPages: number): GroupWriter {
  const kek = kekFromHex(kekHex)
  const connection = openWritable(path)
  db = connection
  createAuthorityDatabase(connection, { cluster: 'bench', kek, clock: systemClock, entropy: systemEntropy })
  connection.pragma(`wal_autocheckpoint = ${checkpointPages}`)
  const rows = new RowWriter(connection)
  const begin = connection.prepare('BEGIN IMMEDIATE')
  const commit = connection.prepare('COMMIT')
  const rollback = connection.prepare('ROLLBACK')
  const position = { epoch: loadState(connection, [kek], systemEntropy).epoch, txid: txid(1), checksum: checksum(0n) }
  const made = new GroupWriter({
    port: {
      begin: () => void begin.run(),
      write: (row) => rows.write(row),
      commit: (state) => {
        rows.bump(state)
        commit.run()
        return position
      },
      rollback: () => void rollback.run(),
      positionAt: () => undefined,
      migrate: () => false,
      reload: () => loadState(connection, [kek], systemEntropy),
    },
    clock: systemClock,
    entropy: systemEntropy,
    ring: [kek],
    onFatal: (error) => {
      throw error
    },
  })
  made.open({
    moment: () => ({
      nowMs: Date.now(),
      steadyMs: Date.now(),
      wallMs: Date.now(),
      believed: { earliestMs: Date.now(), latestMs: Date.now() },
    }),
    gate: () => undefined,
    onAttempt: () => undefined,
  })
  return made
}

const calls = {
  start: async ({ path, kek }: { path: string; kek: string }): Promise<void> => {
    writer = openAuthority(path, kek, checkpointPages())
    await writer.submit({ kind: 'org.create', actor: { text: 'bench' }, name: ORG })
  },
  fill: (params: FillParams): ReturnType<typeof fill> => {
    if (writer === undefined) throw new Error('start it first')
    return fill(writer, params)
  },
} as const

export type UnshippedCalls = typeof calls

/** A primary's default, wherever its configuration has it from. */
function checkpointPages(): number {
  const least = { cluster: 'bench', data: '/', identity: '/', listen: '127.0.0.1:0', kek: { env: 'KEK' } }
  return primaryConfig.parse(least).checkpoint.pages
}

serve(calls, async () => void db?.close())
