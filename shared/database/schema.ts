/**
 * The authority's database. What is shipped is pages, so tables that grow are append-only and carry no secondary index:
 * an index with random keys costs about 4 KB a row on the wire, the log about 66 bytes at a hundred rows a transaction.
 */

/** Raised with every change below; a database with a higher one was written by a newer macaroond and is refused. */
export const SCHEMA_VERSION = 5

/** The oldest schema that is read. A primary migrates it at its first write; a replica, a restore and a drill read it as it is. */
export const SCHEMA_VERSION_MIN = 4

/**
 * From schema 4 to 5. Columns and tables are only added, so no row is rewritten: the transaction changes a few pages,
 * however large the database is.
 */
const ADDED_COLUMNS_5: Readonly<Record<'meta' | 'epochs', readonly string[]>> = {
  meta: [
    // The longest restart lease that was ever granted; 0 while this cluster grants none.
    'restart_lease_ms_max INTEGER NOT NULL DEFAULT 0',
    // What the primary acknowledged revocations with when this was written: local, replica or archive; empty if unknown.
    "durability TEXT NOT NULL DEFAULT ''",
    // 1 if the primary may acknowledge a revocation that reached less than `durability`.
    'degraded INTEGER NOT NULL DEFAULT 0',
    // The last epoch that a restore without revocations began: denials of its replicas wait for an operator.
    'without_revocations_epoch INTEGER NOT NULL DEFAULT 0',
  ],
  epochs: [
    // The last revocation that this epoch took over from its parent.
    'base_seq INTEGER NOT NULL DEFAULT 0',
    // Timeline that this epoch continues; NULL after a restore, and in rows from before schema 5.
    'parent TEXT',
  ],
}

const ADDED_TABLES_5 = `
-- Whoever may still judge by something older than this epoch, and for how long. NULL means any peer, any boot.
CREATE TABLE may_hold_older (
  peer_id TEXT,
  boot_id TEXT,
  lease_ms INTEGER NOT NULL,
  why TEXT NOT NULL
) STRICT;

-- Replicas that the primary's configuration names: a restore asks each of them what it knows.
CREATE TABLE configured_replicas (
  peer_id TEXT PRIMARY KEY,
  region TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Revocations of an undone timeline that the primary took over from a replica by itself: the count is limited.
CREATE TABLE adoptions (
  peer_id TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  revocations INTEGER NOT NULL,
  PRIMARY KEY (peer_id, epoch)
) STRICT, WITHOUT ROWID;

-- Revocations of an undone timeline that an operator gave up: the one exception to "once refused, always refused".
CREATE TABLE forgotten (
  seq INTEGER PRIMARY KEY,
  timeline TEXT NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  actor TEXT NOT NULL,
  reason TEXT NOT NULL
) STRICT;

-- Revocations that a restore found where no signature covers them: each waits for an operator, and "columns" is JSON.
CREATE TABLE unsigned_revocations (
  id INTEGER PRIMARY KEY,
  timeline TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  columns TEXT NOT NULL
) STRICT;

-- Cut-offs that were asked for while the primary doubted its clock: each is appended again once its time is believed. What
-- stands in key is as in revocations, with the time 0 for the moment it was asked for.
CREATE TABLE due_cut_offs (
  seq INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  org TEXT NOT NULL,
  key BLOB NOT NULL,
  at_ms INTEGER NOT NULL,
  actor TEXT NOT NULL,
  reason TEXT NOT NULL
) STRICT;

-- An entry of each archive that this database knows of: how a place is recognized as the one that holds its history. What
-- was lost there and repaired stands in repaired, in words, until an operator has seen it.
CREATE TABLE archive_chains (
  place INTEGER PRIMARY KEY,
  entry INTEGER NOT NULL,
  hash BLOB NOT NULL,
  repaired TEXT NOT NULL
) STRICT;
`

const SCHEMA_4 = `
CREATE TABLE meta (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  cluster TEXT NOT NULL,
  schema INTEGER NOT NULL,
  txid INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  timeline TEXT NOT NULL,
  issue_clock_ms INTEGER NOT NULL,
  key_generation INTEGER NOT NULL,
  revocation_seq INTEGER NOT NULL,
  audit_seq INTEGER NOT NULL,
  audit_head BLOB NOT NULL,
  lease_ms_max INTEGER NOT NULL,
  settled_epoch INTEGER NOT NULL
) STRICT;

CREATE TABLE epochs (
  epoch INTEGER PRIMARY KEY,
  timeline TEXT NOT NULL,
  base_txid INTEGER NOT NULL
) STRICT;

CREATE TABLE signing_keys (
  id INTEGER PRIMARY KEY,
  public_key BLOB NOT NULL,
  sealed_private_key BLOB NOT NULL,
  created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE orgs (
  name TEXT PRIMARY KEY,
  state TEXT NOT NULL CHECK (state IN ('active', 'disabled')),
  created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE root_keys (
  kid BLOB PRIMARY KEY CHECK (length(kid) = 8),
  org TEXT NOT NULL REFERENCES orgs (name),
  generation INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('active', 'retired')),
  sealed_secret BLOB NOT NULL,
  created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Nonces rise with seq, because they begin with the issue clock: a token is found by bisection, without an index.
CREATE TABLE issued (
  seq INTEGER PRIMARY KEY,
  kid BLOB NOT NULL,
  nonce BLOB NOT NULL,
  subject TEXT NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;

-- What stands in key, by kind: revocation-log.ts. Numbers that no row has were purged.
CREATE TABLE revocations (
  seq INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  org TEXT NOT NULL,
  key BLOB NOT NULL,
  at_ms INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  reason TEXT NOT NULL
) STRICT;

-- Services whose third-party caveats this authority discharges: each seals its tickets to a key pair of its own.
CREATE TABLE third_parties (
  name TEXT PRIMARY KEY,
  public_key BLOB NOT NULL CHECK (length(public_key) = 32),
  sealed_private_key BLOB NOT NULL,
  unrevoked INTEGER NOT NULL CHECK (unrevoked IN (0, 1)),
  created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Lineage of service tokens. Verification needs none of it: the ancestors stand in the token's own identifier.
CREATE TABLE service_tokens (
  seq INTEGER PRIMARY KEY,
  kid BLOB NOT NULL,
  nonce BLOB NOT NULL,
  ancestors BLOB NOT NULL,
  stripped TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;

-- What was answered under the ids of requests, oldest first; leaves as a leading range once there are too many.
CREATE TABLE requests (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  digest TEXT NOT NULL,
  answer TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  txid INTEGER NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE audit (
  seq INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  org TEXT NOT NULL,
  target TEXT NOT NULL,
  detail TEXT NOT NULL,
  hash BLOB NOT NULL
) STRICT;
`

export const MIGRATE_4_TO_5: string =
  Object.entries(ADDED_COLUMNS_5)
    .flatMap(([table, columns]) => columns.map((column) => `ALTER TABLE ${table} ADD COLUMN ${column};\n`))
    .join('') + ADDED_TABLES_5

/** A new database is made the way an old one is migrated, so both end with the same tables. */
export const SCHEMA: string = SCHEMA_4 + MIGRATE_4_TO_5
