/**
 * A restore: plan, gather what must outlive it, rebuild, compare with what was recorded, let SQLite check it, begin a new epoch
 * with what was gathered, and only then give the file its name. Until that moment there is nothing but a scratch folder.
 */
import { planRestore, type RestorePlan, type RestoreTarget } from '../../shared/archive/restore-plan.ts'
import { requireRecorded } from '../../shared/archive/drill.ts'
import { rebuildDatabase } from '../../shared/archive/rebuild.ts'
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
import type { AskedCluster } from '../admin.ts'
import {
  carryOver,
  type CarryOver,
  type Refusing,
  stillRefused,
  type PendingRevocations,
  waitingBeyond,
} from './carry-over.ts'
import { timeText } from './describe.ts'
import { gather, type Gathered } from './gather.ts'
import { type Begun, beginEpoch } from './new-epoch.ts'
import type { Repaired } from './repaired.ts'
import { Scratch } from './scratch.ts'
import type { ArchiveSource } from './source.ts'
import type { Head } from './witness.ts'

export interface RestoreOptions {
  /**
   * An archive; or the data folder of a stopped replica, which is compared with the archive where there is one; or the pages
   * of a damaged primary.
   */
  readonly from:
    | { readonly archive: ArchiveSource; readonly target: RestoreTarget }
    | { readonly replica: string; readonly comparedWith: ArchiveSource | undefined }
    | { readonly repaired: Repaired; readonly comparedWith: ArchiveSource | undefined }
  /** Of the authority, from the operator: without it nothing that a replica kept is believed. */
  readonly publicKey: Uint8Array | undefined
  /** Whose nodes tell what they know; undefined: nobody is asked. */
  readonly asked: AskedCluster | undefined
  readonly oldData: string | undefined
  readonly newest: Position | undefined
  readonly withoutRevocations: boolean
  /** The operator's word that this machine's clock is right, although what is restored is of a later time. */
  readonly acceptClock: boolean
  readonly clock: Clock
  readonly entropy: Entropy
  /** Bytes of the archive that were read so far, and how many there are. */
  readonly onProgress: (done: number, all: number) => void
  /** Shown the plan before anything else happens; false ends it there. Throws what keeps it from going on. */
  readonly confirm: (preview: Preview) => boolean
}

export interface Preview {
  /** Undefined where a replica's copy is taken as it is, and in a repair. */
  readonly plan: RestorePlan | undefined
  /** What the pages of a repair are made of, in words. */
  readonly pages: readonly string[] | undefined
  readonly carried: CarryOver | undefined
  /** What is known and not read, not believed, or told by one replica alone: each needs the operator's yes. */
  readonly unread: readonly string[]
  readonly remarks: readonly string[]
  /** Whether anybody saw the newest state; undefined where there is none: a foreign database, an unsigned archive. */
  readonly head: Head | undefined
  /** Revocations that nobody who is believed knows: they wait for an operator after the start. */
  readonly waiting: readonly PendingRevocations[]
  /** Without revocations: who goes on refusing, and how much. */
  readonly refusing: readonly Refusing[]
  /** How fast the archive was read when its head was looked at, bytes a second; undefined when it was not. */
  readonly bytesPerSecond: number | undefined
}

export interface Restored {
  readonly preview: Preview
  /** Undefined for a database that is none of macaroond, which is restored as it was. */
  readonly begun: Begun | undefined
  /** What is left beside the result and should not be, in words. */
  readonly left: string | undefined
}

/** `output` is never overwritten. Undefined when the operator, or a dry run, ended it. */
export async function restore(options: RestoreOptions & { readonly output: string }): Promise<Restored | undefined> {
  const scratch = new Scratch(options.output)
  return within(scratch, () => restoreIn(scratch, options, (path) => scratch.place(path)))
}

/** Runs `work`, and deletes the scratch folder however that ends. */
export async function within<T extends object>(
  scratch: Scratch,
  work: () => Promise<T | undefined>,
): Promise<(T & Pick<Restored, 'left'>) | undefined> {
  let left: string | undefined
  let restored: T | undefined
  try {
    restored = await work()
  } finally {
    // What went wrong before it is what has to be told.
    left = scratch.close()
  }
  return restored === undefined ? undefined : { ...restored, left }
}

/** `place` gives the finished database its name. */
export async function restoreIn(
  scratch: Scratch,
  options: RestoreOptions,
  place: (path: string) => void,
): Promise<Omit<Restored, 'left'> | undefined> {
  const { from, clock, asked, oldData, newest, publicKey, onProgress } = options
  const archive = 'archive' in from ? from.archive : from.comparedWith
  const plan = 'archive' in from ? planRestore(from.archive.files, from.target, clock.wallMs()) : undefined
  const meter = new Meter(options)
  const onBytes = (bytes: number): void => meter.add(bytes)
  const replica = 'replica' in from ? scratch.copyNode(from.replica, 'target') : undefined
  const repaired = 'repaired' in from ? from.repaired : undefined
  const nowMs = clock.wallMs()
  const places = { scratch, archive, replica, repaired, asked, oldData, newest, publicKey }
  const gathered = await gather({ ...places, nowMs, onBytes })
  const path = repaired?.pages.path ?? replica?.database ?? (await target(scratch, options, plan, gathered, onProgress))
  const foreign = !isOurs(path)
  const pages = repaired?.pages.used
  const preview = foreign
    ? { plan, pages, ...FOREIGN, unread: gathered.unread, remarks: gathered.remarks, bytesPerSecond: meter.rate }
    : { plan, pages, ...previewOf(path, options, gathered), bytesPerSecond: meter.rate }
  if (!foreign) requirePast(path, options, gathered)
  if (!options.confirm(preview)) return undefined
  inspect(path)
  const begun = foreign ? undefined : begin(path, options, gathered, preview)
  place(path)
  return { preview, begun }
}

/** The state that was asked for, as a file of its own. */
async function target(
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

function isOurs(path: string): boolean {
  return withReader(path, isOfMacaroond)
}

type Found = Pick<Preview, 'carried' | 'unread' | 'remarks' | 'head' | 'waiting' | 'refusing'>

/** Of a database that is none of macaroond. */
const FOREIGN = { carried: undefined, head: undefined, waiting: [], refusing: [] } as const

function previewOf(path: string, options: RestoreOptions, gathered: Gathered): Found {
  const { evidence, remarks, doubted } = gathered
  const isSigned = !('archive' in options.from) || options.from.archive.signed
  return withReader(path, (db) => {
    requireOneCluster(new MetaReader(db).read().cluster, evidence)
    const broken = auditProblem(db)
    const own = readRevocationColumns(db, 0, -1).map(({ columns }) => columns)
    const all = carryOver(own, evidence)
    const carried = options.withoutRevocations ? undefined : all
    const audit = broken === undefined ? [] : [`the audit chain of what is restored does not hold: ${broken}`]
    return {
      carried,
      unread: [...gathered.unread, ...audit, ...(carried?.alone ?? [])],
      remarks,
      head: isSigned ? gathered.head : undefined,
      refusing: options.withoutRevocations ? stillRefused(own, evidence) : [],
      waiting: options.withoutRevocations ? [] : waitingBeyond(own, all.revocations, doubted),
    }
  })
}

/** Pages of a time that has not come here mean that this machine's clock is behind. Throws clock_implausible. */
function requirePast(path: string, { clock, acceptClock }: RestoreOptions, { evidence }: Gathered): void {
  if (acceptClock) return
  const own = withReader(path, (db) => new MetaReader(db).read().issueClockMs)
  const issueClockMs = Math.max(own, ...evidence.map((one) => one.issueClockMs))
  const nowMs = clock.wallMs()
  if (issueClockMs <= nowMs + CLOCK_JUMP_MS_MAX) return
  throw new MacaroondError(
    'clock_implausible',
    `tokens were minted at ${timeText(issueClockMs)}, and here it is ${timeText(nowMs)}`,
    { hint: 'put the clock of this machine right; or, if it is right, say --accept-clock' },
  )
}

/** What another cluster revoked says nothing here, and its positions less. */
function requireOneCluster(cluster: string, evidence: Gathered['evidence']): void {
  const stranger = evidence.find((one) => one.cluster !== cluster)
  if (stranger === undefined) return
  throw new MacaroondError(
    'wrong_cluster',
    `${stranger.from} is of cluster "${stranger.cluster}", what is restored of "${cluster}"`,
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

function inspect(path: string): void {
  const problem = withReader(path, integrityProblem)
  if (problem === undefined) return
  throw new MacaroondError('database_corrupt', `SQLite finds the restored database damaged: ${problem}`, {
    hint: 'it was damaged when it was archived: choose an earlier time',
  })
}

function begin(
  path: string,
  options: RestoreOptions,
  { evidence }: Gathered,
  { carried, waiting }: Pick<Preview, 'carried' | 'waiting'>,
): Begun {
  const { from, clock, entropy } = options
  const db = openWritable(path)
  try {
    const meta = new MetaReader(db).read()
    checkMeta(meta, meta.cluster, 'the restored database')
    const archive = 'archive' in from ? from.archive : from.comparedWith
    const highest = archive?.highest ?? { epoch: meta.epoch, txid: meta.txid, written: meta.epoch }
    const begun = beginEpoch(db, { evidence, highest, carried, waiting, clock, entropy })
    // Everything into the file itself: only the file is placed.
    if (runCheckpoint(db, 'TRUNCATE').kind !== 'truncated')
      throw new MacaroondError('database_busy', `${path} is in use`)
    return begun
  } catch (error) {
    throw sqliteError(error, `beginning a new epoch in ${path}`)
  } finally {
    db.close()
  }
}

/** How fast the archive is read. */
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

  add(bytes: number): void {
    this.#bytes += bytes
    this.#ms = this.#clock.monotonicMs() - this.#startedMs
  }
}
