/** Collects what must outlive a restore from every place that can be read, and says which could not be. */
import { MacaroondError, reportOf } from '../../shared/errors.ts'
import { planRestore } from '../../shared/archive/restore-plan.ts'
import { rebuildDatabase } from '../../shared/archive/rebuild.ts'
import { requireRecorded } from '../../shared/archive/drill.ts'
import { comparePositions, parsePosition, positionText, type Position } from '../../shared/position.ts'
import { openReader } from '../../shared/sqlite/connection.ts'
import { sqliteError } from '../../shared/sqlite/storage-errors.ts'
import { type AskedCluster, statusOf } from '../admin.ts'
import { type Evidence, evidenceOfDatabase } from './evidence.ts'
import { evidenceOfReplica, type OrgOfKey, revocationsOfJournal } from './replica-evidence.ts'
import type { NodeCopy, Scratch } from './scratch.ts'
import type { ArchiveSource } from './source.ts'

export interface GatherOptions {
  readonly scratch: Scratch
  readonly archive: ArchiveSource | undefined
  /** Undefined: nobody is asked. */
  readonly asked: AskedCluster | undefined
  /** A replica's copy that is restored from. */
  readonly replica: NodeCopy | undefined
  /** Data folder of the old primary, stopped. */
  readonly oldData: string | undefined
  /** The newest position that the operator knows of. */
  readonly newest: Position | undefined
  readonly nowMs: number
  readonly onBytes: (bytes: number) => void
}

export interface Gathered {
  readonly evidence: readonly Evidence[]
  /** What is known to exist and was not read, in words: each needs the operator's yes. */
  readonly unread: readonly string[]
  /** What could not be looked for, in words. */
  readonly remarks: readonly string[]
  /** The archive's newest state as a file; undefined where it could not be read, or is no database of macaroond. */
  readonly headPath: string | undefined
}

export async function gather(options: GatherOptions): Promise<Gathered> {
  const evidence: Evidence[] = []
  const unread: string[] = []
  const attempt = async (
    what: string,
    read: () => Promise<Evidence | undefined>,
    isOwn: typeof isOutOfRoom = isOutOfRoom,
  ): Promise<void> => {
    try {
      const found = await read()
      if (found !== undefined) evidence.push(found)
    } catch (error) {
      if (error instanceof MacaroondError && (error.kind === 'conflict' || isOwn(error))) throw error
      unread.push(`${what} cannot be read: ${reportOf(error).message}`)
    }
  }
  const { archive, replica: copied, oldData, asked, scratch } = options
  const headPath = scratch.path('head.db')
  if (archive !== undefined) {
    const isOwn = archive.storage.isBucket ? isOutOfRoom : isOfOwnDisk
    await attempt('the archive’s head', () => headEvidence(options, archive, headPath), isOwn)
  }
  if (oldData !== undefined) {
    await attempt(`the old disk ${oldData}`, async () => copyEvidence('old disk', scratch.copyNode(oldData, 'old.db')))
  }
  if (copied !== undefined) await attempt('the copy', async () => copyEvidence('the replica’s copy', copied))
  const orgOfKey = orgsOf(evidence)
  for (const replica of asked?.replicas ?? []) {
    await attempt(`replica ${replica.region}`, () => evidenceOfReplica(asked!, replica, orgOfKey))
  }
  unread.push(...(await newerThanRead(options, evidence)))
  const head = evidence.some(({ from }) => from === HEAD)
  return { evidence, unread, remarks: remarksOn(options), headPath: head ? headPath : undefined }
}

const HEAD = 'the archive’s head'

/**
 * There is no room for what is gathered where it is restored to: another place helps, and a yes would cost revocations that
 * lie there to be read.
 */
function isOutOfRoom({ code }: MacaroondError): boolean {
  return code === 'disk_full'
}

/** Of the archive's head in a directory, whose own failures have other codes; a bucket answers with this one as well. */
function isOfOwnDisk(error: MacaroondError): boolean {
  return isOutOfRoom(error) || error.code === 'io_failed' || error.code === 'sync_failed'
}

async function headEvidence(
  { nowMs, onBytes }: GatherOptions,
  { storage, files }: ArchiveSource,
  path: string,
): Promise<Evidence | undefined> {
  const plan = planRestore(files, { kind: 'head' }, nowMs)
  const { checksum } = await rebuildDatabase({ storage, files: plan.files, path, onBytes })
  requireRecorded(plan, checksum)
  return readDatabase(HEAD, path)
}

/** Undefined for a database that is none of macaroond. */
function readDatabase(from: string, path: string): Evidence | undefined {
  const db = openReader(path)
  try {
    const isOurs = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").get() !== undefined
    return isOurs ? evidenceOfDatabase(from, db) : undefined
  } catch (error) {
    throw sqliteError(error, `reading ${from}`)
  } finally {
    db.close()
  }
}

function copyEvidence(from: string, { database, journal }: NodeCopy): Evidence | undefined {
  const pages = readDatabase(from, database)
  if (pages === undefined || journal === undefined) return pages
  return { ...pages, revocations: [...pages.revocations, ...revocationsOfJournal(journal, orgsOf([pages]))] }
}

function orgsOf(evidence: readonly Evidence[]): OrgOfKey {
  const orgs = new Map<string, string>()
  for (const { kid, org } of evidence.flatMap(({ database }) => database?.keys ?? [])) {
    if (Buffer.isBuffer(kid)) orgs.set(kid.toString('hex'), String(org))
  }
  return (kid) => orgs.get(kid)
}

/** A position beyond all that was read: revocations up to there were acknowledged, and are not among the evidence. */
async function newerThanRead(options: GatherOptions, evidence: readonly Evidence[]): Promise<readonly string[]> {
  const { archive, newest, asked } = options
  const claims: { readonly who: string; readonly position: Position }[] = []
  if (newest !== undefined) claims.push({ who: 'you know', position: newest })
  if (archive?.head !== undefined) claims.push({ who: 'the manifest knows', position: archive.head })
  if (asked !== undefined) {
    const status = await statusOf(asked.admin, asked.primary).catch(() => undefined)
    if (status?.role === 'primary')
      claims.push({ who: 'the primary, which is running, knows', position: parsePosition(status.position) })
  }
  const read = evidence.flatMap(({ position }) => position ?? [])
  const isCovered = (claimed: Position): boolean =>
    read.some((one) => comparePositions({ ...one, checksum: claimed.checksum }, claimed) >= 0)
  const newer = claims.filter(({ position }) => !isCovered(position))
  return [
    ...newer.map(({ who, position }) => `${who} of ${positionText(position)}, which is newer than all that was read`),
    ...unseenEpoch(archive, read),
  ]
}

/** A primary claims its epoch before it writes anything: what it acknowledged then may be nowhere in the archive. */
function unseenEpoch(
  archive: ArchiveSource | undefined,
  read: readonly { readonly epoch: number }[],
): readonly string[] {
  const claimed = archive?.highest.epoch ?? 0
  if (claimed === 0 || read.some(({ epoch }) => epoch >= claimed)) return []
  return [`a primary has claimed epoch ${claimed}, and no transaction of it was read`]
}

function remarksOn({ asked, newest, archive }: GatherOptions): readonly string[] {
  if (archive === undefined || asked !== undefined || newest !== undefined) return []
  return [
    'nobody was asked for the newest position: an old copy of the whole archive would not be noticed (--profile or --newest)',
  ]
}
