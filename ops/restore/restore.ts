/**
 * A restore, step by step: plan; gather what must outlive it; rebuild the database; compare it with recorded checksums; let the
 * operator confirm; let SQLite check it; begin a new epoch with what was gathered; give the file its name. Until the last step
 * only a scratch folder exists, so a restore that fails leaves nothing.
 */
import { planRestore, type RestorePlan, type RestoreTarget } from '../../shared/archive/restore-plan.ts'
import { rebuildDatabase, requireRecorded } from '../../shared/archive/rebuild.ts'
import type { Clock, Entropy } from '../../shared/clock.ts'
import { auditProblem } from '../../shared/database/audit-chain.ts'
import { checkMeta, isOfMacaroond, MetaReader } from '../../shared/database/meta.ts'
import { readRevocationColumns } from '../../shared/database/revocation-columns.ts'
import { assert, MacaroondError } from '../../shared/errors.ts'
import { CLOCK_JUMP_MS_MAX } from '../../shared/limits.ts'
import type { Position } from '../../shared/position.ts'
import { runCheckpoint } from '../../shared/sqlite/checkpoint.ts'
import { type Database, openReader, openWritable } from '../../shared/sqlite/open-database.ts'
import { integrityProblem } from '../../shared/sqlite/integrity.ts'
import { sqliteError } from '../../shared/files/storage-errors.ts'
import type { RunningCluster } from '../admin.ts'
import {
  carryOver,
  type CarryOver,
  type StillRefusing,
  stillRefused,
  type PendingRevocations,
  waitingBeyond,
} from './carry-over.ts'
import { timeText } from './describe.ts'
import { gather, type Gathered } from './gather.ts'
import { type NewEpoch, beginEpoch } from './new-epoch.ts'
import type { Repaired } from './repaired.ts'
import { Scratch } from './scratch.ts'
import type { ArchiveSource } from './source.ts'
import type { HeadVerdict } from './witness.ts'

export interface RestoreOptions {
  /**
   * An archive; or the data folder of a stopped replica, which is compared with the archive if there is one; or the rebuilt
   * pages of a damaged primary.
   */
  readonly from:
    | { readonly archive: ArchiveSource; readonly target: RestoreTarget }
    | { readonly replica: string; readonly comparedWith: ArchiveSource | undefined }
    | { readonly repaired: Repaired; readonly comparedWith: ArchiveSource | undefined }
  /** The authority's public key, from the operator. Without it a replica's copy is not believed. */
  readonly publicKey: Uint8Array | undefined
  /** The running nodes, which are asked for what they know; undefined if none are asked. */
  readonly running: RunningCluster | undefined
  readonly oldData: string | undefined
  readonly newest: Position | undefined
  readonly withoutRevocations: boolean
  /** True if the operator confirms this machine's clock although the restored database is of a later time. */
  readonly acceptClock: boolean
  readonly clock: Clock
  readonly entropy: Entropy
  /** Called with the bytes of the archive that were read so far, and the bytes in all if that is known. */
  readonly onProgress: (done: number, all?: number) => void
  /** Called with the preview before the new epoch begins. Returns false to stop. Throws if something is not confirmed. */
  readonly confirm: (preview: Preview) => boolean
}

/** Counts of known revocations: those that the restored state has, and the others. */
export interface RevocationCounts {
  readonly there: number
  readonly beyond: number
}

/** Everything about a restore that an operator sees before he confirms it. */
export interface Preview {
  /** Undefined for a replica's copy, which is taken as it is, and for a repair. */
  readonly plan: RestorePlan | undefined
  /** The sources of the pages of a repair, in words; undefined for a restore. */
  readonly pages: readonly string[] | undefined
  readonly carried: CarryOver | undefined
  /** The revocations that the restored state has, and those that the believed places know besides; undefined as `head`. */
  readonly revocations: RevocationCounts | undefined
  /** In words: sources that were not read or are not believed, and facts from one replica alone. Each needs `--yes`. */
  readonly unread: readonly string[]
  readonly remarks: readonly string[]
  /** The verdict on witnesses of the newest state; undefined for a foreign database and for an unsigned archive. */
  readonly head: HeadVerdict | undefined
  /** Revocations from places that are not believed: they wait for an operator after the start. */
  readonly waiting: readonly PendingRevocations[]
  /** With `--without-revocations`: the replicas that still enforce revocations, and how many. */
  readonly refusing: readonly StillRefusing[]
  /** Speed at which the archive's head was read, bytes a second; undefined if it was not read. */
  readonly bytesPerSecond: number | undefined
}

/** The result of a restore. */
export interface Restored {
  readonly preview: Preview
  /** Undefined for a database of another program, which is restored unchanged. */
  readonly begun: NewEpoch | undefined
  /** A message about a scratch folder that could not be deleted; else undefined. */
  readonly left: string | undefined
}

/** Restores to `output`, which is never overwritten. Undefined if the operator declined or it is a dry run. */
export async function restore(options: RestoreOptions & { readonly output: string }): Promise<Restored | undefined> {
  const scratch = new Scratch(options.output)
  return inScratchFolder(scratch, () => restoreIn(scratch, options, (path) => scratch.place(path)))
}

/** Runs `work`, and deletes the scratch folder in success and failure. */
export async function inScratchFolder<T extends object>(
  scratch: Scratch,
  work: () => Promise<T | undefined>,
): Promise<(T & Pick<Restored, 'left'>) | undefined> {
  let left: string | undefined
  let restored: T | undefined
  try {
    restored = await work()
  } finally {
    // An error of `work` is more important than a folder that is left, so it is the one thrown.
    left = scratch.close()
  }
  return restored === undefined ? undefined : { ...restored, left }
}

/** The restore in a scratch folder. `place` gives the finished database its name. */
export async function restoreIn(
  scratch: Scratch,
  options: RestoreOptions,
  place: (path: string) => void,
): Promise<Omit<Restored, 'left'> | undefined> {
  const { from, clock, running, oldData, newest, publicKey, onProgress } = options
  const archive = 'archive' in from ? from.archive : from.comparedWith
  const plan = 'archive' in from ? planRestore(from.archive.files, from.target, clock.wallMs()) : undefined
  const meter = new Meter(options)
  const onBytes = (bytes: number): void => onProgress(meter.add(bytes))
  const replica = 'replica' in from ? scratch.copyNode(from.replica, 'target') : undefined
  const repaired = 'repaired' in from ? from.repaired : undefined
  const nowMs = clock.wallMs()
  const places = { scratch, archive, replica, repaired, running, oldData, newest, publicKey }
  const gathered = await gather({ ...places, nowMs, onBytes })
  const path =
    repaired?.pages.path ?? replica?.database ?? (await rebuildTarget(scratch, options, plan, gathered, onProgress))
  const foreign = !isOurs(path)
  const pages = repaired?.pages.used
  const preview = foreign
    ? { plan, pages, ...FOREIGN, unread: gathered.unread, remarks: gathered.remarks, bytesPerSecond: meter.rate }
    : { plan, pages, ...previewOf(path, options, gathered), bytesPerSecond: meter.rate }
  if (!foreign) requireClockNotBehind(path, options, gathered)
  if (!options.confirm(preview)) return undefined
  requireIntact(path)
  const begun = foreign ? undefined : beginEpochIn(path, options, gathered, preview)
  place(path)
  return { preview, begun }
}

/** Rebuilds the requested state as a file. If it is the head, the file that `gather` has rebuilt is reused. */
async function rebuildTarget(
  scratch: Scratch,
  { from }: RestoreOptions,
  plan: RestorePlan | undefined,
  { headPath }: Gathered,
  onProgress: RestoreOptions['onProgress'],
): Promise<string> {
  assert('archive' in from && plan !== undefined, 'a restore from an archive has a plan')
  if (headPath !== undefined && plan.next === undefined) return headPath
  const path = scratch.path('target.db')
  let done = 0
  const onBytes = (bytes: number): void => onProgress((done += bytes), plan.bytes)
  const { checksum } = await rebuildDatabase({ storage: from.archive.storage, files: plan.files, path, onBytes })
  requireRecorded(plan, checksum)
  return path
}

/**
 * False for a database of another program, which an archive of litestream may hold. It is restored, and nothing is added to it.
 */
function isOurs(path: string): boolean {
  return withReader(path, isOfMacaroond)
}

type Findings = Pick<Preview, 'carried' | 'revocations' | 'unread' | 'remarks' | 'head' | 'waiting' | 'refusing'>

/** The findings for a database of another program: none. */
const FOREIGN = { carried: undefined, revocations: undefined, head: undefined, waiting: [], refusing: [] } as const

/** All that the operator must know about a database of macaroond before the new epoch begins. */
function previewOf(path: string, options: RestoreOptions, gathered: Gathered): Findings {
  const { evidence, remarks, doubted } = gathered
  const isSigned = !('archive' in options.from) || options.from.archive.signed
  return withReader(path, (db) => {
    requireOneCluster(new MetaReader(db).read().cluster, evidence)
    const broken = auditProblem(db)
    const own = readRevocationColumns(db, 0, -1).map(({ columns }) => columns)
    const all = carryOver(own, evidence)
    const carried = options.withoutRevocations ? undefined : all
    const audit = broken === undefined ? [] : [`the audit chain of the restored database is broken: ${broken}`]
    return {
      carried,
      revocations: { there: all.there, beyond: all.revocations.length },
      unread: [...gathered.unread, ...audit, ...(carried?.alone ?? [])],
      remarks,
      head: isSigned ? gathered.head : undefined,
      refusing: options.withoutRevocations ? stillRefused(own, evidence) : [],
      waiting: options.withoutRevocations ? [] : waitingBeyond(own, all.revocations, doubted),
    }
  })
}

/** Throws clock_implausible if tokens were minted later than now: then this machine's clock is behind. */
function requireClockNotBehind(path: string, { clock, acceptClock }: RestoreOptions, { evidence }: Gathered): void {
  if (acceptClock) return
  const own = withReader(path, (db) => new MetaReader(db).read().issueClockMs)
  const issueClockMs = Math.max(own, ...evidence.map((one) => one.issueClockMs))
  const nowMs = clock.wallMs()
  if (issueClockMs <= nowMs + CLOCK_JUMP_MS_MAX) return
  throw new MacaroondError(
    'clock_implausible',
    `tokens were minted at ${timeText(issueClockMs)}, but this machine’s clock says ${timeText(nowMs)}`,
    { hint: 'correct the clock of this machine; or, if it is right, give --accept-clock' },
  )
}

/** Throws wrong_cluster if evidence is of another cluster: its revocations and positions mean nothing here. */
function requireOneCluster(cluster: string, evidence: Gathered['evidence']): void {
  const stranger = evidence.find((one) => one.cluster !== cluster)
  if (stranger === undefined) return
  throw new MacaroondError(
    'wrong_cluster',
    `${stranger.from} belongs to cluster "${stranger.cluster}", but the restored database to "${cluster}"`,
    { hint: 'check --profile, --old-data and --archive' },
  )
}

function withReader<T>(path: string, use: (db: Database) => T): T {
  const db = openReader(path)
  try {
    return use(db)
  } catch (error) {
    throw sqliteError(error, `reading ${path}`)
  } finally {
    db.close()
  }
}

/** Throws database_corrupt. Equal checksums show what was archived, not that SQLite can use it. */
function requireIntact(path: string): void {
  const problem = withReader(path, integrityProblem)
  if (problem === undefined) return
  throw new MacaroondError('database_corrupt', `SQLite finds the restored database damaged: ${problem}`, {
    hint: 'it was damaged when it was archived: choose an earlier time',
  })
}

/** Begins the new epoch in the file itself. */
function beginEpochIn(
  path: string,
  options: RestoreOptions,
  { evidence }: Gathered,
  { carried, waiting }: Pick<Preview, 'carried' | 'waiting'>,
): NewEpoch {
  const { from, clock, entropy } = options
  const db = openWritable(path)
  try {
    const meta = new MetaReader(db).read()
    checkMeta(meta, meta.cluster, 'the restored database')
    const archive = 'archive' in from ? from.archive : from.comparedWith
    const highest = archive?.highest ?? { epoch: meta.epoch, txid: meta.txid, written: meta.epoch }
    const begun = beginEpoch(db, { evidence, highest, carried, waiting, clock, entropy })
    // The WAL must be copied into the database file, because only that file gets its final name.
    if (runCheckpoint(db, 'TRUNCATE').kind !== 'truncated')
      throw new MacaroondError('database_busy', `${path} is in use`)
    return begun
  } catch (error) {
    throw sqliteError(error, `beginning a new epoch in ${path}`)
  } finally {
    db.close()
  }
}

/** Measures the speed at which the archive is read. */
class Meter {
  readonly #clock: Clock
  readonly #startedMs: number
  #bytes = 0
  #ms = 0

  constructor({ clock }: Pick<RestoreOptions, 'clock'>) {
    this.#clock = clock
    this.#startedMs = clock.monotonicMs()
  }

  get rate(): number | undefined {
    return this.#bytes === 0 ? undefined : Math.round((this.#bytes * 1_000) / Math.max(1, this.#ms))
  }

  /** Returns the bytes in all. */
  add(bytes: number): number {
    this.#bytes += bytes
    this.#ms = this.#clock.monotonicMs() - this.#startedMs
    return this.#bytes
  }
}
