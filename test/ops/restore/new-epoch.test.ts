/** Where the epoch of a restore begins: no transaction of it has a number that another one may have. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { beginEpoch } from '../../../ops/restore/new-epoch.ts'
import { createDatabase } from '../../../primary/store/create-database.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { RESTORE_TXID_JUMP } from '../../../shared/limits.ts'
import { kekFromHex } from '../../../shared/sealing.ts'
import { type Connection, openWriter } from '../../../shared/sqlite/connection.ts'

function database(): Connection {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-epoch-'))
  const db = openWriter(join(folder, 'macaroond.db'))
  onTestFinished(() => {
    db.close()
    rmSync(folder, { recursive: true, force: true })
  })
  createDatabase(db, { cluster: 'c', kek: kekFromHex('ab'.repeat(32)), clock: systemClock, entropy: systemEntropy })
  return db
}

test.each([
  { claimed: 1, written: 1, jumps: 1 },
  { claimed: 2, written: 2, jumps: 1 },
  // A restore began epoch 2 as far after the last transaction, and nobody has seen how far it got.
  { claimed: 2, written: 1, jumps: 2 },
  { claimed: 5, written: 1, jumps: 5 },
])('with epoch $claimed claimed and $written seen it is $jumps jumps away', ({ claimed, written, jumps }) => {
  const highest = { epoch: claimed, txid: 9, written }
  const common = { evidence: [], carried: undefined, waiting: [], clock: systemClock, entropy: systemEntropy }
  const begun = beginEpoch(database(), { ...common, highest })
  expect(begun).toMatchObject({ epoch: claimed + 1, txid: 9 + jumps * RESTORE_TXID_JUMP })
})
