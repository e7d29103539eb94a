/**
 * A restore drill: restores a random past transaction into a scratch file, compares its pages with the checksum that the
 * primary recorded at the commit, runs SQLite's integrity check and the audit check, and unseals the signing key.
 */
import { rmSync } from 'node:fs'
import { auditProblem } from '../../../shared/database/audit-chain.ts'
import { isOfMacaroond } from '../../../shared/database/meta.ts'
import { readSigningKey } from '../../../shared/database/signing-key.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import type { Txid } from '../../../shared/ids.ts'
import type { Kek } from '../../../shared/sealing.ts'
import { type Database, openReader } from '../../../shared/sqlite/open-database.ts'
import { integrityProblem } from '../../../shared/sqlite/integrity.ts'
import { type ArchivedFile, LEVEL_COMMITTED } from '../../../shared/archive/layout.ts'
import { readManifest } from '../../../shared/archive/read-chain.ts'
import type { openArchive } from '../../../shared/archive/open-archive.ts'
import { rebuildDatabase, requireRecorded } from '../../../shared/archive/rebuild.ts'
import { planRestore } from '../../../shared/archive/restore-plan.ts'
import type { ArchiveStorage } from '../../../shared/archive/storage.ts'

export interface DrillOptions {
  readonly storage: ArchiveStorage
  readonly files: readonly ArchivedFile[]
  readonly cluster: string
  /** The keys that unseal the signing key. If empty, that check is left out. */
  readonly ring: readonly Kek[]
  /** Random number in [0, 1) that chooses the transaction. */
  readonly draw: number
  /** Path of the scratch file, which is deleted at the end. */
  readonly path: string
  readonly nowMs: number
  /** Called with the bytes that were read so far, and the bytes in all. */
  readonly onProgress?: (done: number, all: number) => void
}

export interface Drilled {
  readonly txid: Txid
  readonly timestampMs: number
  /** Bytes read from the archive. */
  readonly bytes: number
  readonly files: number
  readonly keyUnsealed: boolean
}

export interface DrillRequest extends Pick<DrillOptions, 'cluster' | 'ring' | 'draw' | 'path' | 'nowMs'> {
  readonly location: string
  /** The drill reads and verifies the manifest itself with this key, as an operator's restore would. */
  readonly publicKey: Uint8Array
  /** Number of the newest entry that the primary knows. */
  readonly entry: number
}

/** Rejects with the fault that the drill found, or once `signal` aborts. */
export type DrillRunner = (request: DrillRequest, signal: AbortSignal) => Promise<Drilled>

export async function runDrill(request: DrillRequest, open: typeof openArchive): Promise<Drilled> {
  const storage = await open(request.location, { blocking: true })
  const { files } = await readManifest(storage, request.publicKey, request.entry)
  return drill({ ...request, storage, files: [...files.values()] })
}

/** Throws the errors that a restore of that transaction would: archive_damaged, restore_target, kek_wrong, audit_broken. */
export async function drill(options: DrillOptions): Promise<Drilled> {
  const { storage, files, path, ring, onProgress } = options
  const plan = planRestore(files, { kind: 'txid', txid: drawTxid(files, options.draw) }, options.nowMs)
  remove(path)
  try {
    let done = 0
    const onBytes = (bytes: number): void => onProgress?.((done += bytes), plan.bytes)
    const { checksum } = await rebuildDatabase({ storage, files: plan.files, path, onBytes })
    requireRecorded(plan, checksum)
    inspect(path, options)
    const { txid, timestampMs } = plan.point
    return { txid, timestampMs, bytes: plan.bytes, files: plan.files.length, keyUnsealed: ring.length > 0 }
  } finally {
    remove(path)
  }
}

/** Draws from the files of single transactions if there are any, because a restore to a point in time needs them. */
function drawTxid(files: readonly ArchivedFile[], draw: number): Txid {
  const committed = files.filter(({ level }) => level === LEVEL_COMMITTED)
  const candidates = committed.length > 0 ? committed : files
  const drawn = candidates[Math.floor(draw * candidates.length)]
  if (drawn === undefined) throw new MacaroondError('restore_target', 'the archive holds nothing to restore')
  return drawn.maxTxid
}

function inspect(path: string, { ring, cluster }: DrillOptions): void {
  const db = openReader(path)
  try {
    const problem = integrityProblem(db)
    if (problem !== undefined)
      throw new MacaroondError('archive_damaged', `the restored database is damaged: ${problem}`)
    requireAudit(db)
    if (ring.length > 0) readSigningKey(db, ring, cluster)
  } finally {
    db.close()
  }
}

/**
 * Checks the audit chain. Skips the database of another program, which an archive that litestream wrote may hold. Throws
 * audit_broken.
 */
function requireAudit(db: Database): void {
  if (!isOfMacaroond(db)) return
  const broken = auditProblem(db)
  if (broken === undefined) return
  throw new MacaroondError('audit_broken', `the audit chain of the restored database is broken: ${broken}`, {
    hint: 'it was broken when it was archived: drill earlier transactions to find out since when',
  })
}

function remove(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
}
