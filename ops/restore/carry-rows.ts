/** Writes into a restored database what other places know and what must outlive the restore, each kind of row by itself. */
import type { Entropy } from '../../shared/clock.ts'
import { newTimeline } from '../../shared/database/epochs.ts'
import { insertForgotten } from '../../shared/database/forgotten.ts'
import { MetaReader, type Meta } from '../../shared/database/meta.ts'
import { MIGRATE_4_TO_5, SCHEMA_VERSION } from '../../shared/database/schema.ts'
import { insertUnsigned } from '../../shared/database/unsigned.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'
import type { PendingRevocations } from './carry-over.ts'
import type { DatabaseEvidence, Evidence } from './evidence.ts'
import { compareEpochTxid, type EpochTxid } from './witness.ts'

/** Unsigned revocations of other places still wait for an operator. They keep their numbers, by which some were given up. */
export function carryUnsigned(db: Database, databases: readonly DatabaseEvidence[]): void {
  const all = databases.flatMap(({ unsigned }) => unsigned)
  if (all.length === 0) return
  raiseSchema(db)
  insertUnsigned(db, all)
}

/** Revocations that an operator gave up stay given up: a replica that connects later must learn of it too. */
export function carryForgotten(db: Database, databases: readonly DatabaseEvidence[]): void {
  const all = databases.flatMap(({ forgotten }) => forgotten)
  if (all.length === 0) return
  raiseSchema(db)
  for (const one of all) insertForgotten(db, one)
}

/**
 * Writes the revocations that wait for an operator; they have no effect until they are adopted. Each place gets a timeline of
 * its own, because `forget` selects by timeline and number: forged rows could carry the numbers of revocations that replicas
 * enforce. A database of schema 4 has no table for them, so it is migrated here and not by its first start.
 */
export function writeUnsigned(db: Database, waiting: readonly PendingRevocations[], entropy: Entropy): void {
  if (waiting.length === 0) return
  raiseSchema(db)
  for (const { revocations } of waiting) {
    const timeline = newTimeline(entropy)
    insertUnsigned(
      db,
      revocations.map((one) => ({ ...one, timeline })),
    )
  }
}

/** Raises a database of schema 4, for tables that only schema 5 has. */
export function raiseSchema(db: Database): void {
  if (new MetaReader(db).read().schema >= SCHEMA_VERSION) return
  db.exec(MIGRATE_4_TO_5)
  db.prepare('UPDATE meta SET schema = ?').run(SCHEMA_VERSION)
}

/**
 * Removes the third parties that were removed after the restored time, because their tickets must not be discharged again.
 * Returns their names. The audit of the newest state that was read decides: a state may also lack a third party because its
 * history never had it.
 */
export function removeThirdParties(db: Database, meta: Meta, evidence: readonly Evidence[]): readonly string[] {
  const newest = newestDatabase(evidence)
  if (newest === undefined || compareEpochTxid(newest.position, meta) <= 0) return []
  const { thirdParties } = newest.database
  const known = new Set(thirdParties.keys.map((key) => key.toString('hex')))
  const own = db.prepare<[], { name: string; key: Buffer }>('SELECT name, public_key AS key FROM third_parties').all()
  const removed = own
    .filter(({ name, key }) => !known.has(key.toString('hex')) && thirdParties.removed.includes(name))
    .map(({ name }) => name)
  for (const name of removed) db.prepare('DELETE FROM third_parties WHERE name = ?').run(name)
  return removed
}

function newestDatabase(
  evidence: readonly Evidence[],
): { readonly position: EpochTxid; readonly database: DatabaseEvidence } | undefined {
  const all = evidence.flatMap(({ position, database }) =>
    position === undefined || database === undefined ? [] : { position, database },
  )
  return all.toSorted((a, b) => compareEpochTxid(b.position, a.position))[0]
}

/** Retires the keys and disables the orgs that were retired or disabled after the restored time. */
export function carryStates(db: Database, { retiredKeys, disabledOrgs, keys }: DatabaseEvidence): void {
  for (const name of disabledOrgs) db.prepare("UPDATE orgs SET state = 'disabled' WHERE name = ?").run(name)
  for (const kid of retiredKeys) db.prepare("UPDATE root_keys SET state = 'retired' WHERE kid = ?").run(kid)
  const keyless = db.prepare<[], string>(
    `SELECT name FROM orgs WHERE state = 'active'
      AND NOT EXISTS (SELECT 1 FROM root_keys WHERE org = orgs.name AND state = 'active')`,
  )
  for (const org of keyless.pluck().all()) {
    // The org's only active key was retired in favour of a newer one, which the org needs now.
    for (const key of keys.filter((row) => row['org'] === org)) insertKey(db, key)
  }
}

/** Columns are taken as they are found, so that a key of an older schema keeps its form. */
function insertKey(db: Database, row: Readonly<Record<string, string | number | Buffer>>): void {
  const names = Object.keys(row)
  const places = names.map(() => '?').join(', ')
  db.prepare(`INSERT OR IGNORE INTO root_keys (${names.join(', ')}) VALUES (${places})`).run(...Object.values(row))
}

/** Writes all known epochs, also later ones than the restored state, so that a replica that followed one is recognised. */
export function carryEpochs(db: Database, epochs: DatabaseEvidence['epochs']): void {
  const insert = db.prepare('INSERT OR IGNORE INTO epochs (epoch, timeline, base_txid) VALUES (?, ?, ?)')
  for (const { epoch, timeline, base_txid: base } of epochs) insert.run(epoch, timeline, base)
}
