/** Answers the call `audit.verify`, on primary and replica. */
import { type AuditHead, checkAuditSlice } from '../database/audit-chain.ts'
import { auditVerifyParams, type AuditVerifyResult } from '../protocol/audit.ts'
import { params } from '../protocol/params.ts'
import type { Database } from '../sqlite/open-database.ts'
import { sqliteError } from '../files/storage-errors.ts'

/** `db` is undefined while a replica has no database. Throws request_invalid, database_corrupt. */
export function answerAuditVerify(db: Database | undefined, value: unknown): AuditVerifyResult {
  const { after } = params(auditVerifyParams, value)
  if (db === undefined) return { head: after, done: true, problem: null }
  const from: AuditHead = { seq: after.seq, hash: Buffer.from(after.hash, 'hex') }
  try {
    const { head: last, done, problem } = checkAuditSlice(db, from)
    return { head: { seq: last.seq, hash: Buffer.from(last.hash).toString('hex') }, done, problem: problem ?? null }
  } catch (error) {
    throw sqliteError(error, 'reading the audit chain')
  }
}
