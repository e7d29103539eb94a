/**
 * Collects evidence, the facts that must outlive a restore, from every place that can be read: archive, damaged or old disk,
 * copy, running replicas. It reports every place that could not be read or is not believed; the operator then decides.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DenialsReader } from '../../replica/denials/file.ts'
import { ForgottenNumbers, readForgotten } from '../../shared/database/forgotten.ts'
import { isOfMacaroond, MetaReader } from '../../shared/database/meta.ts'
import type { Denial } from '../../shared/protocol/denials.ts'
import { MacaroondError, reportOf } from '../../shared/errors.ts'
import { planRestore } from '../../shared/archive/restore-plan.ts'
import { rebuildDatabase, requireRecorded } from '../../shared/archive/rebuild.ts'
import { auditProblem } from '../../shared/database/audit-chain.ts'
import { parsePosition, type Position } from '../../shared/position.ts'
import { openReader } from '../../shared/sqlite/open-database.ts'
import { sqliteError } from '../../shared/files/storage-errors.ts'
import { type RunningCluster, statusOf } from '../admin.ts'
import { differencesOf, type Repaired } from './repaired.ts'
import { beyondText, filesBeyond, rebuildBeyond } from './beyond-head.ts'
import { withinBounds } from './bounds.ts'
import type { PendingRevocations } from './carry-over.ts'
import { journalRemarks } from './copied-replica.ts'
import { compareCopy } from './copies.ts'
import { type Evidence, evidenceOfDatabase, unsignedIn } from './evidence.ts'
import {
  evidenceOfReplica,
  type OrgOfKey,
  revocationsOfJournal,
  requireUnderstood,
  unsignedInJournal,
} from './replica-evidence.ts'
import { DENIALS, type NodeCopy, type Scratch } from './scratch.ts'
import { archivedIn, type ArchiveSource } from './source.ts'
import { type HeadClaim, type HeadVerdict, judgeHead, newerThanRead } from './witness.ts'

export interface GatherOptions {
  readonly scratch: Scratch
  readonly archive: ArchiveSource | undefined
  /** The running nodes, which are asked for what they know; undefined if none are asked. */
  readonly running: RunningCluster | undefined
  /** The copy of a replica, if that is the source of the restore. */
  readonly replica: NodeCopy | undefined
  /** The rebuilt pages of a damaged primary, if this is a repair. */
  readonly repaired: Repaired | undefined
  /** Data folder of the old primary, which is stopped. */
  readonly oldData: string | undefined
  /** The newest position that the operator knows of. */
  readonly newest: Position | undefined
  /** The authority's public key, from the operator. */
  readonly publicKey: Uint8Array | undefined
  readonly nowMs: number
  readonly onBytes: (bytes: number) => void
}

export interface Gathered {
  readonly evidence: readonly Evidence[]
  /** In words: places that exist and were not read, or differ from what was recorded. Each needs the operator's `--yes`. */
  readonly unread: readonly string[]
  /** Further information for the operator, in words. */
  readonly remarks: readonly string[]
  /** Revocations of places that are not believed. */
  readonly doubted: readonly PendingRevocations[]
  /** The verdict on witnesses of the newest state. */
  readonly head: HeadVerdict
  /** The archive's newest state as a file; undefined if it could not be read or is not a database of macaroond. */
  readonly headPath: string | undefined
}

/** Reads all places. An unreadable place is no error, but a conflict or a full scratch disk is thrown. */
export async function gather(options: GatherOptions): Promise<Gathered> {
  const gathering = new Gathering(options)
  await gathering.read()
  const { evidence: unbounded, unread, remarks, doubted, headPath } = gathering
  const { archive, nowMs } = options
  const claims = await claimsOf(options)
  const { evidence, ...leftOut } = withinBounds(unbounded, {
    nowMs,
    highest: archive?.highest ?? { epoch: 0, txid: 0 },
  })
  return {
    evidence,
    unread: [
      ...unread,
      ...leftOut.unread,
      ...newerThanRead(evidence, claims),
      ...unseenEpoch(archive, evidence),
      ...(options.repaired ? differencesOf(options.repaired, archive?.files ?? [], evidence) : []),
    ],
    remarks: [...remarks, ...leftOut.remarks],
    doubted,
    head: judgeHead({ evidence, claims, epoch: archive?.highest.epoch ?? 0 }),
    headPath,
  }
}

/** Names of places, as an operator reads them. */
const HEAD = 'the archive’s head'
const DAMAGED = 'the damaged disk'

/** Reads every place once, one after the other. */
class Gathering {
  readonly evidence: Evidence[] = []
  readonly unread: string[] = []
  readonly remarks: string[] = []
  readonly doubted: PendingRevocations[] = []
  headPath: string | undefined
  readonly #options: GatherOptions

  constructor(options: GatherOptions) {
    this.#options = options
  }

  /** Databases first: they say which org a key belongs to, and a journal or a replica's answer has only the key's id. */
  async read(): Promise<void> {
    const { archive, replica: copied, oldData, running, scratch, repaired, publicKey } = this.#options
    if (archive !== undefined) await this.#archive(archive)
    if (repaired !== undefined) await this.#attempt(DAMAGED, async () => this.#repaired(repaired))
    if (oldData !== undefined) {
      await this.#attempt(`the old disk ${oldData}`, async () =>
        this.#copied({ what: `the old disk ${oldData}`, from: 'old disk', copy: scratch.copyNode(oldData, 'old') }),
      )
    }
    if (copied !== undefined) {
      const from = 'the replica’s copy'
      await this.#attempt('the copy', async () => this.#copied({ what: from, from, copy: copied }))
    }
    const orgOfKey = orgsOf(this.evidence)
    for (const replica of running?.replicas ?? []) {
      await this.#attempt(`replica ${replica.region}`, () =>
        evidenceOfReplica(running!, replica, { orgOfKey, publicKey }),
      )
    }
    if (archive?.head !== undefined) await this.#beyond({ ...archive, head: archive.head })
  }

  /** Adds the evidence of one place. If the place cannot be read, adds a line to `unread` instead. */
  async #attempt(
    what: string,
    read: () => Promise<Evidence | undefined>,
    isScratchFailure: typeof isScratchFull = isScratchFull,
  ): Promise<void> {
    try {
      const found = await read()
      if (found !== undefined) this.evidence.push(found)
      this.unread.push(...(found?.unread ?? []).map((text) => `${what} cannot read a part of its files: ${text}`))
    } catch (error) {
      if (error instanceof MacaroondError && (error.kind === 'conflict' || isScratchFailure(error))) throw error
      this.unread.push(`${what} cannot be read: ${reportOf(error).message}`)
    }
  }

  /** The archive's head. A folder's errors may be those of the scratch disk, which are thrown. */
  async #archive(archive: ArchiveSource): Promise<void> {
    const path = this.#options.scratch.path('head.db')
    const isScratchFailure = archive.storage.isBucket ? isScratchFull : isScratchBroken
    this.unread.push(...archive.manifestDamage.map((wound) => `the manifest of the archive is damaged: ${wound}`))
    if (!archive.signed) this.remarks.push('no signature covers this archive: it is restored on your word alone')
    await this.#attempt(
      HEAD,
      async () => {
        const head = await headEvidence(this.#options, archive, path)
        // A database of another program is no evidence, so nothing is carried over from it.
        if (head !== undefined) this.headPath = path
        return head && this.#audited(head, path)
      },
      isScratchFailure,
    )
  }

  /** Evidence of a copy. If the copy differs from its record: undefined, and a line in `unread`. */
  #copied({
    what,
    from,
    copy,
  }: {
    readonly what: string
    readonly from: string
    readonly copy: NodeCopy
  }): Evidence | undefined {
    const { archive, publicKey, nowMs } = this.#options
    const compared = compareCopy(copy, { publicKey, archived: archivedIn(archive), nowMs })
    const isOldDisk = from === 'old disk' && copy.role === 'primary'
    const kind = isOldDisk ? 'old disk' : 'copy'
    if (compared.problem !== undefined) {
      this.unread.push(`${what} is not believed: ${compared.problem}`)
      this.#keepDoubted(from, copy)
      return undefined
    }
    const pages = readDatabase({ from, source: { kind }, signed: compared.signed }, copy.database)
    if (pages === undefined) return undefined
    const orgOfKey = orgsOf([pages])
    const ahead = this.#part(from, 'journal', () => {
      const rows = revocationsOfJournal(copy.journal ?? NO_JOURNAL, orgOfKey)
      this.remarks.push(...journalRemarks(copy).map((remark) => `${from}: ${remark}`))
      return rows
    })
    const denied = this.#part(from, 'denials', () =>
      denialsOf(copy, forgottenIn(copy)).map(({ columns }) => requireUnderstood(columns)),
    )
    this.remarks.push(...compared.remarks.map((remark) => `${from}: ${remark}`))
    return this.#audited({ ...pages, revocations: [...pages.revocations, ...ahead, ...denied] }, copy.database)
  }

  /** Keeps the revocations of a copy that is not believed: they wait for an operator. */
  #keepDoubted(from: string, copy: NodeCopy): void {
    const origin = { from, source: { kind: 'copy' }, signed: false } as const
    const read = this.#part(from, 'pages', () => {
      const pages = readDatabase(origin, copy.database)
      return pages === undefined ? [] : [{ pages, rows: withReader(from, copy.database, unsignedIn) }]
    })
    const orgOfKey = orgsOf(read.map(({ pages }) => pages))
    const ahead = this.#part(from, 'journal', () => unsignedInJournal(copy.journal ?? NO_JOURNAL, orgOfKey))
    // Its pages are not believed, so their list of given-up denials hides none.
    const denied = this.#part(from, 'denials', () => denialsOf(copy, NOTHING_FORGOTTEN))
    this.doubted.push({ from, revocations: [...read.flatMap(({ rows }) => rows), ...ahead, ...denied] })
  }

  /** Reads one of a copy's files. A file that cannot be read is a line in `unread`, and hides none of the others. */
  #part<T>(from: string, name: string, read: () => readonly T[]): readonly T[] {
    try {
      return read()
    } catch (error) {
      if (error instanceof MacaroondError && (error.kind === 'conflict' || isScratchFull(error))) throw error
      this.unread.push(`the ${name} of ${from} cannot be read: ${reportOf(error).message}`)
      return []
    }
  }

  /**
   * Evidence of the rebuilt pages. Revocations that only the damaged pages have wait for an operator, because those pages were
   * compared with nothing.
   */
  #repaired({ pages, copy }: Repaired): Evidence | undefined {
    const kind = pages.isNewest ? 'old disk' : 'copy'
    const signed = archivedIn(this.#options.archive)(pages.position) === pages.position.checksum
    const evidence = readDatabase({ from: DAMAGED, source: { kind }, signed }, pages.path)
    this.remarks.push(...pages.remarks)
    try {
      if (existsSync(copy.database) && withReader(DAMAGED, copy.database, isOfMacaroond))
        this.doubted.push({ from: 'the damaged pages', revocations: withReader(DAMAGED, copy.database, unsignedIn) })
    } catch (error) {
      this.remarks.push(`revocations cannot be read from the damaged pages themselves: ${reportOf(error).message}`)
    }
    return evidence && this.#audited(evidence, pages.path)
  }

  /** Adds a line to `unread` if the audit chain is broken. The evidence counts all the same: its pages were compared. */
  #audited(evidence: Evidence, path: string): Evidence {
    const problem = withReader(evidence.from, path, auditProblem)
    if (problem !== undefined) this.unread.push(`the audit chain of ${evidence.from} is broken: ${problem}`)
    return evidence
  }

  /** Files beyond the head. They are a bonus, so an error is only a remark, except for a full scratch disk. */
  async #beyond(archive: ArchiveSource & { readonly head: Position }): Promise<void> {
    try {
      const beyond = await filesBeyond(archive)
      if (beyond.length === 0) return
      this.remarks.push(beyondText(beyond))
      const path = this.#options.scratch.path('beyond.db')
      await rebuildBeyond(archive, beyond, path)
      const from = 'files without an entry'
      const read = readDatabase({ from, source: { kind: 'archive' }, signed: false }, path)
      if (read !== undefined) this.doubted.push({ from, revocations: withReader(from, path, unsignedIn) })
    } catch (error) {
      if (error instanceof MacaroondError && isScratchFull(error)) throw error
      this.remarks.push(`files beyond the newest entry of the archive were not read: ${reportOf(error).message}`)
    }
  }
}

/**
 * True if the disk of the scratch folder is full. Then the restore fails: on another disk it can read everything, while a
 * `--yes` would lose revocations that can be read.
 */
function isScratchFull({ code }: MacaroondError): boolean {
  return code === 'disk_full'
}

/** True for an error of the scratch disk while the head of a folder archive is read; a bucket fails with the same codes. */
function isScratchBroken(error: MacaroondError): boolean {
  return isScratchFull(error) || error.code === 'io_failed' || error.code === 'sync_failed'
}

/** Rebuilds the archive's newest state as a file, and reads it. Throws archive_damaged. */
async function headEvidence(
  { nowMs, onBytes }: GatherOptions,
  { storage, files, signed }: ArchiveSource,
  path: string,
): Promise<Evidence | undefined> {
  const plan = planRestore(files, { kind: 'head' }, nowMs)
  const { checksum } = await rebuildDatabase({ storage, files: plan.files, path, onBytes })
  requireRecorded(plan, checksum)
  return readDatabase({ from: HEAD, source: { kind: 'archive' }, signed }, path)
}

type EvidenceOrigin = Pick<Evidence, 'from' | 'source' | 'signed'>

/** Evidence of a database; undefined for a database of another program. */
function readDatabase(who: EvidenceOrigin, path: string): Evidence | undefined {
  return withReader(who.from, path, (db) => (isOfMacaroond(db) ? evidenceOfDatabase(who, db) : undefined))
}

function withReader<T>(from: string, path: string, use: (db: ReturnType<typeof openReader>) => T): T {
  const db = openReader(path)
  try {
    return use(db)
  } catch (error) {
    throw sqliteError(error, `reading ${from}`)
  } finally {
    db.close()
  }
}

/** The copied denials, without those that an operator has given up. Throws log_corrupt. */
function denialsOf({ folder }: NodeCopy, forgotten: ForgottenNumbers): readonly Denial[] {
  const path = join(folder, DENIALS)
  if (!existsSync(path)) return []
  const reader = new DenialsReader(path)
  try {
    const denials = [...reader.rows()].map(({ denial }) => denial)
    return denials.filter((denial) => !forgotten.has(denial))
  } finally {
    reader.close()
  }
}

function forgottenIn({ database }: NodeCopy): ForgottenNumbers {
  return new ForgottenNumbers(
    withReader('the copy', database, (db) => readForgotten(db, new MetaReader(db).read().schema)),
  )
}

const NO_JOURNAL: Buffer = Buffer.alloc(0)
const NOTHING_FORGOTTEN = new ForgottenNumbers([])

/** The org of each root key in the databases that were read. */
function orgsOf(evidence: readonly Evidence[]): OrgOfKey {
  const orgs = new Map<string, string>()
  for (const { kid, org } of evidence.flatMap(({ database }) => database?.keys ?? [])) {
    if (Buffer.isBuffer(kid)) orgs.set(kid.toString('hex'), String(org))
  }
  return (kid) => orgs.get(kid)
}

/** The positions that some place claims to exist: revocations up to them may have been acknowledged. */
async function claimsOf({ archive, newest, running, repaired }: GatherOptions): Promise<readonly HeadClaim[]> {
  const claims: HeadClaim[] = []
  const own = repaired?.pages.beyond
  if (own !== undefined)
    claims.push({ who: `${DAMAGED} knows`, position: { ...own, checksum: repaired!.pages.position.checksum } })
  if (newest !== undefined) claims.push({ who: 'you know', position: newest })
  if (archive?.head !== undefined) claims.push({ who: 'the manifest knows', position: archive.head })
  if (running !== undefined) {
    const status = await statusOf(running.admin, running.primary).catch(() => undefined)
    if (status?.role === 'primary')
      claims.push({ who: 'the primary, which is running, knows', position: parsePosition(status.position) })
  }
  return claims
}

/** A remark if an epoch is claimed and none of its transactions was read: its primary may have acknowledged some. */
function unseenEpoch(archive: ArchiveSource | undefined, evidence: readonly Evidence[]): readonly string[] {
  const claimed = archive?.highest.epoch ?? 0
  if (claimed === 0 || evidence.some(({ position }) => (position?.epoch ?? 0) >= claimed)) return []
  return [`a primary has claimed epoch ${claimed}, and no transaction of it was read`]
}
