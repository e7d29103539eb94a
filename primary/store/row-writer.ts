/** Writes rows with prepared statements. The only place that knows how a row of the core lies in its table. */
import type { Statement } from 'better-sqlite3'
import type { TokenReference } from '../../shared/macaroon/identifier.ts'
import type { Connection } from '../../shared/sqlite/connection.ts'
import type { Row } from '../authority/rows.ts'
import type { AuthorityState } from '../authority/state.ts'

const STATEMENTS = {
  orgs: 'INSERT INTO orgs (name, state, created_ms) VALUES (?, ?, ?)',
  root_keys: 'INSERT INTO root_keys (kid, org, generation, state, sealed_secret, created_ms) VALUES (?, ?, ?, ?, ?, ?)',
  issued: 'INSERT INTO issued (kid, nonce, subject, expires_at) VALUES (?, ?, ?, ?)',
  revocations:
    'INSERT INTO revocations (seq, kind, org, key, at_ms, expires_at, actor, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
  third_parties:
    'INSERT INTO third_parties (name, public_key, sealed_private_key, unrevoked, created_ms) VALUES (?, ?, ?, ?, ?)',
  'third_parties removed': 'DELETE FROM third_parties WHERE name = ?',
  service_tokens: 'INSERT INTO service_tokens (kid, nonce, ancestors, stripped, at_ms) VALUES (?, ?, ?, ?, ?)',
  audit: 'INSERT INTO audit (seq, at_ms, actor, action, org, target, detail, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
} as const

/** Every transaction raises txid by exactly one: that is how a transaction that is not ours is told from ours. */
const BUMP = `UPDATE meta SET txid = txid + 1, issue_clock_ms = ?, key_generation = ?, revocation_seq = ?,
  audit_seq = ?, audit_head = ?`

export class RowWriter {
  readonly #inserts: Readonly<Record<Row['table'], Statement>>
  readonly #bump: Statement

  constructor(db: Connection) {
    const prepare = (table: Row['table']): Statement => db.prepare(STATEMENTS[table])
    this.#inserts = {
      orgs: prepare('orgs'),
      root_keys: prepare('root_keys'),
      issued: prepare('issued'),
      revocations: prepare('revocations'),
      third_parties: prepare('third_parties'),
      'third_parties removed': prepare('third_parties removed'),
      service_tokens: prepare('service_tokens'),
      audit: prepare('audit'),
    }
    this.#bump = db.prepare(BUMP)
  }

  write(row: Row): void {
    this.#inserts[row.table].run(...valuesOf(row))
  }

  /** The last statement of every transaction. */
  bump(state: AuthorityState): void {
    const { issue, keyGeneration, revocationSeq, audit } = state
    this.#bump.run(issue.lastMs, keyGeneration, revocationSeq, audit.seq, audit.hash)
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
    case 'revocations':
      return [row.seq, row.kind, row.org, hex(row.kid + row.nonce), row.atMs, row.expiresAt, row.actor, row.reason]
    case 'third_parties':
      return [row.name, row.publicKey, row.sealedPrivateKey, row.unrevoked ? 1 : 0, row.createdMs]
    case 'third_parties removed':
      return [row.name]
    case 'service_tokens':
      return [hex(row.kid), hex(row.nonce), namesOf(row.ancestors), row.stripped, row.atMs]
    case 'audit':
      return [row.seq, row.atMs, row.actor, row.action, row.org, row.target, row.detail, row.hash]
  }
}

/** kid and nonce of each, one behind the other, as in the identifier. */
function namesOf(ancestors: readonly TokenReference[]): Buffer {
  return hex(ancestors.map(({ kid, nonce }) => kid + nonce).join(''))
}

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex')
}
