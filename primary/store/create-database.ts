/**
 * Creates the database of a new authority: schema, first epoch, signing key and first audit record, all in transaction 1. A
 * crash leaves either the whole of it or an empty file, which the next start fills.
 */
import type { Clock, Entropy } from '../../shared/clock.ts'
import { ed25519PublicKey } from '../../shared/crypto.ts'
import { newTimeline } from '../../shared/database/epochs.ts'
import { AUDIT_START } from '../../shared/database/audit-chain.ts'
import { SCHEMA, SCHEMA_VERSION } from '../../shared/database/schema.ts'
import { signingKeyContext } from '../../shared/database/signing-key.ts'
import { seal, type Kek } from '../../shared/sealing.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'
import { nextAuditRow } from '../authority/audit.ts'
import { RowWriter } from './row-writer.ts'

const FIRST_EPOCH = 1
const FIRST_TXID = 1

export interface CreateOptions {
  readonly cluster: string
  readonly kek: Kek
  readonly clock: Clock
  readonly entropy: Entropy
  /** The signing key's seed, 32 bytes, if one was made before the database. */
  readonly signingSeed?: Uint8Array | undefined
}

/** True if the database is new, or a crash came before its first transaction. */
export function isEmptyDatabase(db: Database): boolean {
  return db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").get() === undefined
}

/** Writes the schema and the first rows in one transaction. The caller has checked that the database is empty. */
export function createAuthorityDatabase(db: Database, options: CreateOptions): void {
  const create = db.transaction(() => {
    db.exec(SCHEMA)
    insertFirstRows(db, options)
  })
  create.immediate()
}

/** The first epoch counts as settled, because no earlier primary can exist. */
function insertFirstRows(db: Database, { cluster, kek, clock, entropy, signingSeed }: CreateOptions): void {
  const now = clock.wallMs()
  const timeline = newTimeline(entropy)
  const seed = signingSeed ?? entropy.bytes(32)
  const entry = { atMs: now, actor: 'primary', action: 'database.create', org: '', target: cluster }
  const audit = nextAuditRow(AUDIT_START, { ...entry, detail: { epoch: FIRST_EPOCH, timeline } })
  db.prepare(
    `INSERT INTO meta (one, cluster, schema, txid, epoch, timeline, issue_clock_ms, key_generation, revocation_seq, audit_seq,
      audit_head, lease_ms_max, settled_epoch) VALUES (1, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?, 0, ?)`,
  ).run([cluster, SCHEMA_VERSION, FIRST_TXID, FIRST_EPOCH, timeline, now, audit.seq, audit.hash, FIRST_EPOCH])
  db.prepare('INSERT INTO epochs (epoch, timeline, base_txid) VALUES (?, ?, 0)').run(FIRST_EPOCH, timeline)
  db.prepare('INSERT INTO signing_keys VALUES (1, ?, ?, ?)').run([
    ed25519PublicKey(seed),
    seal(kek, signingKeyContext(cluster), seed, entropy),
    now,
  ])
  new RowWriter(db).write({ table: 'audit', row: audit })
}
