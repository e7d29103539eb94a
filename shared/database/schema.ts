/**
 * The authority's database. What is shipped is pages, so tables that grow are append-only and carry no secondary index:
 * an index with random keys costs about 4 KB a row on the wire, the log about 66 bytes at a hundred rows a transaction.
 */

/** Raised with every change below; a database with a higher one was written by a newer macaroond and is refused. */
export const SCHEMA_VERSION = 4

export const SCHEMA = `
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

-- What was answered under the ids of requests, oldest first; leaves as a leading range after a day.
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
