/** Checks the disk of a killed node: nothing acknowledged is missing, nothing is torn, no transaction has two contents. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type Sqlite from 'better-sqlite3'
import { AUDIT_GENESIS, firstBrokenAuditRow, type AuditRow } from '../../shared/database/audit-chain.ts'
import { txid as asTxid } from '../../shared/ids.ts'
import { checksumOnClose, journalledRevocations, openSound, recordedPositions, segmentHeaders } from './disk.ts'
import type { KnownToken, Ledger } from './ledger.ts'

export interface PrimaryExpectation {
  /** A power cut takes what was not synced: the log may end earlier, as long as SQLite's WAL has the rest. */
  readonly powerCut?: boolean
}

/** `folder` is a copy. What was acknowledged when this is called must be there. */
export function judgePrimary(folder: string, ledger: Ledger, { powerCut = false }: PrimaryExpectation = {}): void {
  const db = openSound(join(folder, 'macaroond.db'))
  const txid = metaTxid(db)
  requireAtLeast(txid, ledger.newest?.txid ?? 0, 'the primary')
  requireAll(ledger.tokens, idsOf(db, 'SELECT kid AS a, nonce AS b FROM issued'), 'minted')
  requireAll(ledger.revoked, revokedIds(db), 'revoked')
  const orgs = new Set(db.prepare('SELECT name FROM orgs').pluck().all())
  for (const org of ledger.orgs) if (!orgs.has(org)) throw new Error(`org ${org} was acknowledged and is gone`)
  requireAuditChain(db)
  ledger.stated({ txid: asTxid(txid), checksum: checksumOnClose(db) }, 'the pages of a killed primary')
  if (!powerCut) judgeLog(folder, txid, ledger)
}

/** Segments follow each other, and end where the database ends, or one before: that one is still in the WAL. */
function judgeLog(folder: string, txid: number, ledger: Ledger): void {
  const headers = segmentHeaders(folder)
  for (const [index, { minTxid, maxTxid, preApply, postApply }] of headers.entries()) {
    if (postApply === undefined || preApply === undefined) throw new Error('a segment without checksums')
    ledger.stated({ txid: maxTxid, checksum: postApply }, 'the segment log')
    if (minTxid > 1)
      ledger.stated({ txid: asTxid(minTxid - 1), checksum: preApply }, 'the segment log, before a segment')
    const before = headers[index - 1]
    if (before !== undefined && minTxid !== before.maxTxid + 1) throw new Error(`the log jumps to ${minTxid}`)
  }
  const last = headers.at(-1)?.maxTxid
  if (last !== undefined && last !== txid && last !== txid - 1)
    throw new Error(`the log ends at ${last}, not at ${txid}`)
}

export interface ReplicaExpectation {
  /** The copy must hold every acknowledged revocation, in its pages or its journal. */
  readonly complete: boolean
}

export function judgeReplica(folder: string, ledger: Ledger, { complete }: ReplicaExpectation): void {
  for (const position of recordedPositions(join(folder, 'position'))) ledger.stated(position, 'a replica’s record')
  const known = new Set(journalledRevocations(join(folder, 'revocations.journal')))
  const path = join(folder, 'macaroond.db')
  if (existsSync(path)) {
    const db = openSound(path)
    const txid = metaTxid(db)
    for (const id of revokedIds(db)) known.add(id)
    requireAuditChain(db)
    ledger.stated({ txid: asTxid(txid), checksum: checksumOnClose(db) }, 'the pages of a killed replica')
  } else if (complete) throw new Error('the replica has no database')
  if (complete) requireAll(ledger.revoked, known, 'revoked')
}

function metaTxid(db: Sqlite.Database): number {
  return db.prepare('SELECT txid FROM meta').pluck().get() as number
}

function requireAtLeast(txid: number, acknowledged: number, who: string): void {
  if (txid < acknowledged) throw new Error(`${who} is at ${txid}, but ${acknowledged} was acknowledged`)
}

function idsOf(db: Sqlite.Database, sql: string): Set<string> {
  const rows = db.prepare(sql).all() as { a: Buffer; b: Buffer }[]
  return new Set(rows.map(({ a, b }) => `${a.toString('hex')}.${b.toString('hex')}`))
}

function revokedIds(db: Sqlite.Database): Set<string> {
  return idsOf(db, `SELECT substr(key, 1, 8) AS a, substr(key, 9) AS b FROM revocations WHERE kind = 'token'`)
}

function requireAll(tokens: readonly KnownToken[], found: ReadonlySet<string>, what: string): void {
  const lost = tokens.filter(({ id }) => !found.has(id))
  if (lost.length > 0) throw new Error(`${lost.length} acknowledged as ${what} are gone, first ${lost[0]?.id}`)
}

function requireAuditChain(db: Sqlite.Database): void {
  const sql = 'SELECT seq, at_ms AS atMs, actor, action, org, target, detail, hash FROM audit ORDER BY seq'
  const rows = db.prepare(sql).all() as AuditRow[]
  const broken = firstBrokenAuditRow({ seq: 0, hash: AUDIT_GENESIS }, rows)
  if (broken !== undefined) throw new Error(`audit record ${broken.seq} does not follow from the one before`)
  const head = db.prepare('SELECT audit_seq AS seq, audit_head AS hash FROM meta').get() as AuditRow
  const last = rows.at(-1)
  if (last?.seq !== head.seq || Buffer.compare(last.hash, head.hash) !== 0)
    throw new Error('the audit ends elsewhere than meta says')
}
