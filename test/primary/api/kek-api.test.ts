/** S11: commands that are sent at once, on a real database. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { KekApi } from '../../../primary/api/kek-api.ts'
import { ThirdPartyApi } from '../../../primary/api/third-party-api.ts'
import { GroupWriter } from '../../../primary/commit-log/group-writer.ts'
import { createAuthorityDatabase } from '../../../primary/store/create-database.ts'
import { loadState } from '../../../primary/store/load-state.ts'
import { RowWriter } from '../../../primary/store/row-writer.ts'
import type { KnownPeer } from '../../../shared/channel/peers.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { checksum, epoch } from '../../../shared/ids.ts'
import { kekFromHex, type Kek } from '../../../shared/sealing.ts'
import { openWritable, type Database } from '../../../shared/sqlite/open-database.ts'

const [OLD, NEW] = [kekFromHex('ab'.repeat(32)), kekFromHex('cd'.repeat(32))]
const OPERATOR = { id: '12D3Koo', name: 'operator', role: 'operator' } as unknown as KnownPeer

function database(): Database {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-kek-'))
  const db = openWritable(join(folder, 'db'))
  db.pragma('synchronous = OFF')
  onTestFinished(() => {
    db.close()
    rmSync(folder, { recursive: true, force: true })
  })
  createAuthorityDatabase(db, { cluster: 'test', kek: OLD, clock: systemClock, entropy: systemEntropy })
  return db
}

/** On the database alone, without a log. */
function writerOn(db: Database, ring: readonly Kek[]): GroupWriter {
  const rows = new RowWriter(db)
  const at = { earliestMs: Date.now(), latestMs: Date.now() }
  const writer = new GroupWriter({
    port: {
      begin: () => void db.exec('BEGIN IMMEDIATE'),
      write: (row) => rows.write(row),
      commit: (state) => {
        rows.bump(state)
        db.exec('COMMIT')
        return { epoch: epoch(1), txid: state.txid, checksum: checksum(0n) }
      },
      rollback: () => void db.exec('ROLLBACK'),
      positionAt: () => undefined,
      migrate: () => false,
      reload: () => loadState(db, ring, systemEntropy),
    },
    clock: systemClock,
    entropy: systemEntropy,
    ring,
    onFatal: (error) => {
      throw error
    },
  })
  writer.open({
    moment: () => ({ nowMs: at.latestMs, steadyMs: at.latestMs, wallMs: at.latestMs, believed: at }),
    gate: () => undefined,
    onAttempt: () => undefined,
  })
  return writer
}

test('a third party that is removed and added again before a rotation runs has only the new key', async () => {
  const db = database()
  const ring = [NEW, OLD] as const
  const writer = writerOn(db, ring)
  const thirdParties = new ThirdPartyApi({ writer: writer, serviceTtlSecondsMax: 90 * 86_400 })
  const keks = new KekApi({ writer, replicasWithout: () => [] })
  await thirdParties.add(OPERATOR, { name: 'store', unrevoked: false })
  const [, added] = await Promise.all([
    thirdParties.remove(OPERATOR, { name: 'store' }),
    thirdParties.add(OPERATOR, { name: 'store', unrevoked: false }),
    keks.rotate(OPERATOR, { force: false }),
  ])
  const store = loadState(db, [NEW], systemEntropy).thirdParties.get('store')
  expect([store?.fault, Buffer.from(store?.publicKey ?? []).toString('hex')]).toEqual([undefined, added.publicKey])
})

test('a rotation is refused if a replica came back without the new key while it waited', async () => {
  const writer = writerOn(database(), [NEW, OLD])
  let without: readonly KnownPeer[] = []
  const keks = new KekApi({ writer, replicasWithout: () => without })
  const rotated = keks.rotate(OPERATOR, { force: false })
  without = [{ ...OPERATOR, name: 'sin' }]
  await expect(rotated).rejects.toMatchObject({ code: 'kek_missing', message: expect.stringMatching(/: sin$/) })
  expect((await keks.rotate(OPERATOR, { force: true })).kek).toBe(NEW.id)
})
