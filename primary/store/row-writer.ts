/** Writes the core's rows with prepared statements. Only this file maps a row to the columns of its table. */
import type { Statement } from 'better-sqlite3'
import { keyOfRow } from '../../shared/database/revocation-log.ts'
import type { TokenReference } from '../../shared/macaroon/identifier.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'
import type { DueCutOffRow, RevocationLogRow, Row } from '../authority/rows.ts'
import type { AuthorityState } from '../authority/state.ts'

/** One statement for each kind of row. Most statements insert, because inserted rows fill the pages in order. */
const STATEMENTS = {
  orgs: 'INSERT INTO orgs (name, state, created_ms) VALUES (?, ?, ?)',
  root_keys: 'INSERT INTO root_keys (kid, org, generation, state, sealed_secret, created_ms) VALUES (?, ?, ?, ?, ?, ?)',
  'orgs disabled': "UPDATE orgs SET state = 'disabled' WHERE name = ?",
  'root_keys retired': "UPDATE root_keys SET state = 'retired' WHERE kid = ?",
  'root_keys resealed': 'UPDATE root_keys SET sealed_secret = ? WHERE kid = ?',
  'signing_keys resealed': 'UPDATE signing_keys SET sealed_private_key = ? WHERE id = ?',
  issued: 'INSERT INTO issued (kid, nonce, subject, expires_at) VALUES (?, ?, ?, ?)',
  revocations:
    'INSERT INTO revocations (seq, kind, org, key, at_ms, expires_at, actor, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
  'revocations purged': 'DELETE FROM revocations WHERE seq BETWEEN ? AND ?',
  third_parties:
    'INSERT INTO third_parties (name, public_key, sealed_private_key, unrevoked, created_ms) VALUES (?, ?, ?, ?, ?)',
  'third_parties removed': 'DELETE FROM third_parties WHERE name = ?',
  'third_parties resealed': 'UPDATE third_parties SET sealed_private_key = ? WHERE name = ?',
  requests: 'INSERT INTO requests (seq, id, digest, answer, epoch, txid, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)',
  'requests removed': 'DELETE FROM requests WHERE seq <= ?',
  service_tokens: 'INSERT INTO service_tokens (kid, nonce, ancestors, stripped, at_ms) VALUES (?, ?, ?, ?, ?)',
  configured_replicas: 'INSERT INTO configured_replicas (peer_id, region) VALUES (?, ?)',
  'configured_replicas removed': 'DELETE FROM configured_replicas',
  'meta configured': 'UPDATE meta SET durability = ?, degraded = ?',
  archive_chains: 'INSERT OR REPLACE INTO archive_chains (place, entry, hash, repaired) VALUES (?, ?, ?, ?)',
  due_cut_offs: 'INSERT INTO due_cut_offs (seq, kind, org, key, at_ms, actor, reason) VALUES (?, ?, ?, ?, ?, ?, ?)',
  'due_cut_offs removed': 'DELETE FROM due_cut_offs WHERE seq = ?',
  adoptions:
    'INSERT INTO adoptions (peer_id, epoch, revocations) VALUES (?, ?, ?) ON CONFLICT (peer_id, epoch) DO UPDATE SET revocations = excluded.revocations',
  forgotten: 'INSERT INTO forgotten (timeline, first, last, at_ms, actor, reason) VALUES (?, ?, ?, ?, ?, ?)',
  audit: 'INSERT INTO audit (seq, at_ms, actor, action, org, target, detail, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
} as const satisfies Readonly<Record<Row['table'], string>>

/** Each transaction raises txid by exactly one. A number that differs reveals a write by another program. */
const BUMP = `UPDATE meta SET txid = txid + 1, issue_clock_ms = ?, key_generation = ?, revocation_seq = ?,
  audit_seq = ?, audit_head = ?, lease_ms_max = ?, settled_epoch = ?`

export class RowWriter {
  readonly #db: Database
  /** Prepared on first use: before a migration some of the tables do not exist. */
  readonly #statements = new Map<Row['table'], Statement>()
  readonly #bump: Statement

  constructor(db: Database) {
    this.#db = db
    this.#bump = db.prepare(BUMP)
  }

  write(row: Row): void {
    this.#statementOf(row.table).run(...valuesOf(row))
  }

  #statementOf(table: Row['table']): Statement {
    const prepared = this.#statements.get(table) ?? this.#db.prepare(STATEMENTS[table])
    this.#statements.set(table, prepared)
    return prepared
  }

  /** Raises txid and stores the counters of the state. The last statement of every transaction. */
  bump(state: AuthorityState): void {
    const { issue, keyGeneration, revocationSeq, audit, leaseMsMax, settledEpoch } = state
    const freshness = [leaseMsMax, settledEpoch]
    this.#bump.run(issue.lastMs, keyGeneration, revocationSeq, audit.seq, audit.hash, ...freshness)
  }
}

function valuesOf({ table, row }: Row): unknown[] {
  switch (table) {
    case 'orgs':
      return [row.name, row.state, row.createdMs]
    case 'root_keys':
      return [hex(row.kid), row.org, row.generation, row.state, row.sealedSecret, row.createdMs]
    case 'issued':
      return [hex(row.kid), hex(row.nonce), row.subject, row.expiresAt]
    case 'root_keys retired':
      return [hex(row.kid)]
    case 'root_keys resealed':
      return [row.sealedSecret, hex(row.kid)]
    case 'orgs disabled':
      return [row.name]
    case 'signing_keys resealed':
      return [row.sealedPrivateKey, row.id]
    case 'revocations':
      return revocationValues(row)
    case 'revocations purged':
      return [row.first, row.last]
    case 'third_parties':
      return [row.name, row.publicKey, row.sealedPrivateKey, row.unrevoked ? 1 : 0, row.createdMs]
    case 'third_parties removed':
      return [row.name]
    case 'third_parties resealed':
      return [row.sealedPrivateKey, row.name]
    case 'requests':
      return [row.seq, row.id, row.digest, row.answer, row.epoch, row.txid, row.atMs]
    case 'requests removed':
      return [row.seq]
    case 'service_tokens':
      return [hex(row.kid), hex(row.nonce), ancestorBytes(row.ancestors), row.stripped, row.atMs]
    case 'configured_replicas':
      return [row.peerId, row.region]
    case 'configured_replicas removed':
      return []
    case 'meta configured':
      return [row.durability, row.degraded ? 1 : 0]
    case 'archive_chains':
      return [row.place, row.entry, hex(row.hash), row.repaired]
    case 'due_cut_offs':
      return dueValues(row)
    case 'due_cut_offs removed':
      return [row.seq]
    case 'adoptions':
      return [row.peerId, row.epoch, row.revocations]
    case 'forgotten':
      return [row.timeline, row.first, row.last, row.atMs, row.actor, row.reason]
    case 'audit':
      return [row.seq, row.atMs, row.actor, row.action, row.org, row.target, row.detail, row.hash]
  }
}

function revocationValues({ revocation, org, atMs, actor, reason }: RevocationLogRow): unknown[] {
  const { seq, kind, expiresAt } = revocation
  return [seq, kind, org, keyOfRow(revocation), atMs, expiresAt, actor, reason]
}

function dueValues({ seq, cutOff, atMs, actor, reason }: DueCutOffRow): unknown[] {
  return [seq, cutOff.kind, cutOff.org, keyOfRow({ ...cutOff, seq, expiresAt: 0 }), atMs, actor, reason]
}

/** kid and nonce of each ancestor, concatenated as in the identifier. */
function ancestorBytes(ancestors: readonly TokenReference[]): Buffer {
  return hex(ancestors.map(({ kid, nonce }) => kid + nonce).join(''))
}

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex')
}
