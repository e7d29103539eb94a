/**
 * A repair is a restore that finds its sources itself. Pages come from the primary's disk and its archive; revocations come
 * from these and from every replica. Then it begins a new epoch, as every restore does. The data folder is locked throughout,
 * nothing in it changes before the new database is complete, and the damaged files are kept.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { auditProblem } from '../../shared/database/audit-chain.ts'
import { isOfMacaroond, type Meta } from '../../shared/database/meta.ts'
import { MacaroondError, reportOf } from '../../shared/errors.ts'
import { openReader } from '../../shared/sqlite/open-database.ts'
import { integrityProblem } from '../../shared/sqlite/integrity.ts'
import { compareCopy } from '../restore/copies.ts'
import { RESTORED } from '../restore/new-epoch.ts'
import { restoreIn, type Restored, type RestoreOptions, inScratchFolder } from '../restore/restore.ts'
import { type NodeCopy, Scratch } from '../restore/scratch.ts'
import { archivedIn, type ArchiveSource } from '../restore/source.ts'
import { DamagedFolder } from './damaged-folder.ts'
import { DamagedLog } from './damaged-log.ts'
import { rebuildPages } from './rebuild-pages.ts'
import { metaOf } from './wal-rest.ts'

/** A restore's options without those that a repair decides itself. */
export interface RepairOptions extends Omit<RestoreOptions, 'from' | 'oldData' | 'withoutRevocations'> {
  /** Data folder of the stopped primary. */
  readonly data: string
  /** Undefined if no archive is configured. */
  readonly openArchive: (() => Promise<ArchiveSource>) | undefined
}

/** The outcome of a repair. Each has its own next step for the operator. */
export type Repair =
  | ({ readonly kind: 'repaired'; readonly file: string; readonly aside: string } & Omit<Restored, 'left'>)
  /** An interrupted repair lacked only its last step, which is done now. */
  | { readonly kind: 'finished'; readonly aside: string }
  /** Pages and log are what this primary wrote, and no other place has more. */
  | { readonly kind: 'sound' }

/** Undefined if the operator declined or it is a dry run. Throws already_running, database_corrupt, archive_fenced. */
export async function repair(options: RepairOptions): Promise<(Repair & Pick<Restored, 'left'>) | undefined> {
  const folder = DamagedFolder.open(options.data)
  try {
    // The scratch folder lies in the data folder: the new database must be on the same file system to be linked into place.
    const scratch = new Scratch(folder.database, { isHeld: true })
    return await inScratchFolder(scratch, () => repairIn(scratch, folder, options))
  } finally {
    folder.close()
  }
}

/** The repair in a locked folder. */
async function repairIn(scratch: Scratch, folder: DamagedFolder, options: RepairOptions): Promise<Repair | undefined> {
  if (folder.finished !== undefined) return { kind: 'finished', aside: folder.finished }
  const { archive, unread } = await openArchiveIfReadable(options)
  // Judged on a copy of its own, because recovery changes the files that it looks at.
  const sound = soundAt(scratch, folder, archive, options)
  const copy = scratch.copyHeld(folder.path, 'damaged', Infinity)
  if (isRestored(copy)) return { kind: 'sound' }
  const log = DamagedLog.open(join(copy.folder, 'log'))
  try {
    const path = (name: string): string => scratch.path(name)
    const pages = await rebuildPages({ copy, log, archive, scratch: path })
    const isSound = sound !== undefined && sound.epoch === pages.position.epoch && sound.txid === pages.position.txid
    const repaired = { pages, copy, unread, checksumAt: log.checksumAt.bind(log) }
    let aside = ''
    let isNeeded = true
    const restored = await restoreIn(
      scratch,
      {
        ...options,
        from: { repaired, comparedWith: archive },
        oldData: undefined,
        withoutRevocations: false,
        // A sound database is still compared with the replicas: one of them may be ahead of it.
        confirm: (preview) => (isNeeded = !isSound || preview.unread.length > 0) && options.confirm(preview),
      },
      (file) => void (aside = folder.replace(file, options.clock.wallMs())),
    )
    if (!isNeeded) return { kind: 'sound' }
    return restored && { kind: 'repaired', ...restored, file: folder.database, aside }
  } finally {
    log.close()
  }
}

/** True if a restore or repair made the database and no primary has started on it: then there is no log to compare it with. */
function isRestored({ database, folder }: NodeCopy): boolean {
  if (!existsSync(database) || readdirSync(join(folder, 'log')).length > 0) return false
  try {
    const db = openReader(database)
    try {
      if (!isOfMacaroond(db)) return false
      const newest = db.prepare<[], string>('SELECT action FROM audit ORDER BY seq DESC LIMIT 1').pluck().get()
      return newest === RESTORED && integrityProblem(db) === undefined && auditProblem(db) === undefined
    } finally {
      db.close()
    }
  } catch {
    return false
  }
}

/** The database's `meta` if a start of the primary would find no fault with it, else undefined. It judges a copy. */
function soundAt(
  scratch: Scratch,
  { path, database }: DamagedFolder,
  archive: ArchiveSource | undefined,
  { publicKey, clock }: RepairOptions,
): Meta | undefined {
  if (!existsSync(database)) return undefined
  const copy = scratch.copyHeld(path, 'judged', Infinity)
  const comparing = { publicKey, archived: archivedIn(archive), nowMs: clock.wallMs() }
  const { problem } = compareCopy(copy, comparing)
  const meta = problem === undefined ? metaOf(copy.database) : undefined
  rmSync(copy.folder, { recursive: true })
  return meta
}

/** Opens the archive. One that cannot be read is reported in `unread`, because the disk alone may be enough. */
async function openArchiveIfReadable({ openArchive }: RepairOptions): Promise<{
  readonly archive: ArchiveSource | undefined
  readonly unread: readonly string[]
}> {
  try {
    return { archive: await openArchive?.(), unread: [] }
  } catch (error) {
    if (error instanceof MacaroondError && error.code === 'usage') throw error
    return { archive: undefined, unread: [`the archive cannot be read: ${reportOf(error).message}`] }
  }
}
