/**
 * The tables of the authority's database, and the step from the schema before. Replication ships pages, so growing tables are
 * append-only and have no secondary index: an index with random keys costs about 4 KB a row on the wire, the append-only log
 * about 66 bytes at a hundred rows a transaction.
 */

/** Raised with every change below. A database with a higher version was written by a newer macaroond, and is refused. */
export const SCHEMA_VERSION = 5

/** The oldest readable schema. A primary migrates it at its first write; a replica, a restore and a drill read it unchanged. */
export const SCHEMA_VERSION_MIN = 4

/**
 * The columns that schema 5 adds. A step only adds columns and tables, so it rewrites no row and changes a few pages, however
 * large the database is.
 */
const ADDED_COLUMNS_5: Readonly<Record<'meta' | 'epochs', readonly string[]>> = {
  meta: [
    // The longest restart lease ever granted; 0 while this cluster grants none.
    'restart_lease_ms_max INTEGER NOT NULL DEFAULT 0',
    // The durability that the primary acknowledges revocations with: local, replica or archive; empty if unknown.
    "durability TEXT NOT NULL DEFAULT ''",
    // 1 if the primary may acknowledge a revocation that reached less than `durability`.
    'degraded INTEGER NOT NULL DEFAULT 0',
    // The last epoch begun by a restore without revocations; denials from replicas then wait for an operator.
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
-- Holders that may still judge by an epoch before this one, and for how long. NULL means any peer, any boot.
CREATE TABLE may_hold_older (
  peer_id TEXT,
  boot_id TEXT,
  lease_ms INTEGER NOT NULL,
  why TEXT NOT NULL
) STRICT;

-- Replicas that the primary's configuration names. A restore asks each of them for its revocations.
CREATE TABLE configured_replicas (
  peer_id TEXT PRIMARY KEY,
  region TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Number of revocations of an undone timeline that the primary adopted from a replica without an operator; it is limited.
CREATE TABLE adoptions (
  peer_id TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  revocations INTEGER NOT NULL,
  PRIMARY KEY (peer_id, epoch)
) STRICT, WITHOUT ROWID;

-- Revocations of an undone timeline that an operator gave up: the only exception to "once refused, always refused".
CREATE TABLE forgotten (
  seq INTEGER PRIMARY KEY,
  timeline TEXT NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  actor TEXT NOT NULL,
  reason TEXT NOT NULL
) STRICT;

-- Revocations that a restore found without a signature that covers them. Each waits for an operator. "columns" is JSON.
CREATE TABLE unsigned_revocations (
  id INTEGER PRIMARY KEY,
  timeline TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  columns TEXT NOT NULL
) STRICT;

-- Cut-offs requested while the primary doubted its clock. Each is appended again once its time is believed. The column key is as
-- in revocations; its time 0 stands for the time of the request.
CREATE TABLE due_cut_offs (
  seq INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  org TEXT NOT NULL,
  key BLOB NOT NULL,
  at_ms INTEGER NOT NULL,
  actor TEXT NOT NULL,
  reason TEXT NOT NULL
) STRICT;

-- For each archive, an entry of its chain that this database knows. A store with that entry is recognised as the archive. The
-- column repaired describes a repaired loss, in words, until an operator has acknowledged it.
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

-- Nonces begin with the issue clock, so they rise with seq, and a token is found by bisection, without an index.
CREATE TABLE issued (
  seq INTEGER PRIMARY KEY,
  kid BLOB NOT NULL,
  nonce BLOB NOT NULL,
  subject TEXT NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;

-- The column key depends on the kind: see revocation-log.ts. A number without a row was purged.
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

-- Third parties whose caveats this authority discharges. Tickets for each are sealed to a key pair of its own.
CREATE TABLE third_parties (
  name TEXT PRIMARY KEY,
  public_key BLOB NOT NULL CHECK (length(public_key) = 32),
  sealed_private_key BLOB NOT NULL,
  unrevoked INTEGER NOT NULL CHECK (unrevoked IN (0, 1)),
  created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Lineage of service tokens, for explanations. Verification does not read it: a token's identifier names its ancestors.
CREATE TABLE service_tokens (
  seq INTEGER PRIMARY KEY,
  kid BLOB NOT NULL,
  nonce BLOB NOT NULL,
  ancestors BLOB NOT NULL,
  stripped TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;

-- Answers by request id, oldest first. The oldest rows are deleted once there are too many.
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

/** A new database gets schema 4 and then the step, so new and migrated databases have the same tables. */
export const SCHEMA: string = SCHEMA_4 + MIGRATE_4_TO_5
