/**
 * A restore drill: a past transaction, drawn at random, is really restored into a scratch file, its pages compared with the
 * checksum that the primary recorded when it committed, SQLite asked for its opinion, and a key unsealed.
 */
import { rmSync } from 'node:fs'
import { auditProblem } from '../database/audit-chain.ts'
import { isOfMacaroond } from '../database/meta.ts'
import { readSigningKey } from '../database/signing-key.ts'
import { MacaroondError } from '../errors.ts'
import { checksumText, type Txid } from '../ids.ts'
import type { Kek } from '../sealing.ts'
import { type Database, openReader } from '../sqlite/open-database.ts'
import { integrityProblem } from '../sqlite/integrity.ts'
import { type ArchivedFile, LEVEL_COMMITTED } from './layout.ts'
import { rebuildDatabase } from './rebuild.ts'
import { planRestore, type RestorePlan } from './restore-plan.ts'
import type { ArchiveStorage } from './storage.ts'

export interface DrillOptions {
  readonly storage: ArchiveStorage
  readonly files: readonly ArchivedFile[]
  readonly cluster: string
  /** Without one no key is unsealed. */
  readonly ring: readonly Kek[]
  /** Which transaction: uniform in [0, 1). */
  readonly draw: number
  /** Scratch file; deleted again. */
  readonly path: string
  readonly nowMs: number
}

export interface Drilled {
  readonly txid: Txid
  readonly timestampMs: number
  /** Read from the archive. */
  readonly bytes: number
  readonly files: number
  readonly keyUnsealed: boolean
}

/** Throws what a restore of that transaction would: archive_damaged, restore_target, kek_wrong, audit_broken. */
export async function drill(options: DrillOptions): Promise<Drilled> {
  const { storage, files, path, ring } = options
  const plan = planRestore(files, { kind: 'txid', txid: drawTxid(files, options.draw) }, options.nowMs)
  remove(path)
  try {
    const { checksum } = await rebuildDatabase({ storage, files: plan.files, path })
    requireRecorded(plan, checksum)
    inspect(path, options)
    const { txid, timestampMs } = plan.point
    return { txid, timestampMs, bytes: plan.bytes, files: plan.files.length, keyUnsealed: ring.length > 0 }
  } finally {
    remove(path)
  }
}

/** Single transactions where there are any: they are what a restore to a moment needs. */
function drawTxid(files: readonly ArchivedFile[], draw: number): Txid {
  const committed = files.filter(({ level }) => level === LEVEL_COMMITTED)
  const candidates = committed.length > 0 ? committed : files
  const drawn = candidates[Math.floor(draw * candidates.length)]
  if (drawn === undefined) throw new MacaroondError('restore_target', 'the archive holds nothing to restore')
  return drawn.maxTxid
}

/** What the archive's own files add up to proves nothing of what was committed: the recorded checksum does. */
export function requireRecorded({ last, point }: RestorePlan, found: RestorePlan['last']['postApply'] & bigint): void {
  if (last.postApply === undefined || last.postApply === found) return
  const recorded = checksumText(last.postApply)
  throw new MacaroondError(
    'archive_damaged',
    `the restored pages give checksum ${checksumText(found)}, at the commit of transaction ${point.txid} it was ${recorded}`,
    { hint: 'a file between is not what was archived: `macaroond archive verify` finds it' },
  )
}

function inspect(path: string, { ring, cluster }: DrillOptions): void {
  const db = openReader(path)
  try {
    const problem = integrityProblem(db)
    if (problem !== undefined)
      throw new MacaroondError('archive_damaged', `the restored database is not sound: ${problem}`)
    requireAudit(db)
    if (ring.length > 0) readSigningKey(db, ring, cluster)
  } finally {
    db.close()
  }
}

/** A database of another program, in an archive that litestream wrote, has no audit. */
function requireAudit(db: Database): void {
  if (!isOfMacaroond(db)) return
  const broken = auditProblem(db)
  if (broken === undefined) return
  throw new MacaroondError('audit_broken', `the audit chain of the restored database does not hold: ${broken}`, {
    hint: 'it was broken when it was archived: drill earlier transactions to find out since when',
  })
}

function remove(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
}
