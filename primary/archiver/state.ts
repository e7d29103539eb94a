/** What the archiver's core knows, what it hears, and what it has done. */
import type { ErrorCode } from '../../shared/errors.ts'
import { TXID_NONE, type Txid } from '../../shared/ids.ts'

export type JobName = 'snapshot' | 'compact 1' | 'compact 2' | 'compact 3' | 'retain' | 'drill' | 'heartbeat'

/** What takes as long as the database is large, and adds no entry to the chain while it does. */
export type AsideName = Extract<JobName, 'snapshot' | 'drill'>

export type ChainJobName = Exclude<JobName, 'drill'>

export type ArchiveWork =
  /** Read what is there, and lead. */
  | { readonly kind: 'claim' }
  /** The transactions after `after` that are committed. */
  | { readonly kind: 'upload'; readonly after: Txid }
  /** One that ends with an entry of the chain, or must not meet one. */
  | { readonly kind: 'job'; readonly job: ChainJobName }
  /** Beside all that: the snapshot's file is put, a drill restores. */
  | { readonly kind: 'aside'; readonly job: AsideName }

/** As it is told in alerts. */
export type WorkName = 'claim' | 'upload' | JobName

export interface ArchiverRules {
  /** Between the starts of two uploads, so that many transactions share the cost of a round; 0 for none. */
  readonly roundMs: number
  readonly retryBaseMs: number
  readonly retryMaxMs: number
  /** A transaction that waits longer, or a job that does, is worth an alarm; so is one that works ten times as long. */
  readonly lateMs: number
}

export interface Failure {
  readonly code: ErrorCode
  readonly message: string
}

/** A job that waits for its turn, and for the transactions up to `needs` to be in the archive. */
export interface Due {
  readonly job: JobName
  readonly sinceMs: number
  readonly needs: Txid
}

export interface ArchiverState {
  readonly claimed: boolean
  /** Another primary leads, or this archive is not ours: nothing is written any more. */
  readonly ended: boolean
  readonly working: ArchiveWork | undefined
  readonly workingSinceMs: number
  /** What goes on beside it. */
  readonly aside: AsideName | undefined
  readonly asideSinceMs: number
  /** The file of a snapshot is in the archive, and no entry names it yet. */
  readonly prepared: boolean
  readonly committed: Txid
  /** Everything up to here is in the archive and in its manifest. */
  readonly archived: Txid
  /** Since when transactions wait, monotonic milliseconds. */
  readonly behindSinceMs: number | undefined
  /** No chain leads on from what is there: a snapshot comes first. */
  readonly needsSnapshot: boolean
  readonly nextRoundMs: number
  readonly due: readonly Due[]
  readonly failures: number
  readonly retryAtMs: number
  /** Of the last failure, until what failed has succeeded. */
  readonly errors: Readonly<Partial<Record<WorkName, Failure>>>
}

export type ArchiverEvent =
  | { readonly kind: 'committed'; readonly txid: Txid }
  | { readonly kind: 'due'; readonly job: JobName }
  /** Somebody waits for the archive: the next round begins now. */
  | { readonly kind: 'hurry' }
  | { readonly kind: 'claimed'; readonly archived: Txid; readonly needsSnapshot: boolean }
  | { readonly kind: 'uploaded'; readonly archived: Txid }
  /** The next transaction is no longer in the log: what is between it and the head is lost as single transactions. */
  | { readonly kind: 'gap' }
  /** A snapshot says up to where it goes. */
  | { readonly kind: 'job done'; readonly archived: Txid | undefined }
  | { readonly kind: 'failed'; readonly failure: Failure; readonly final: boolean }
  /** An operator has said that what is lost is known: it is looked up at once what there is. */
  | { readonly kind: 'repair' }
  | { readonly kind: 'aside done' }
  | { readonly kind: 'aside failed'; readonly failure: Failure }
  | { readonly kind: 'tick' }

export interface ArchiverStep {
  readonly state: ArchiverState
  /** At most one in each lane. */
  readonly start: readonly ArchiveWork[]
  /** When to come back with a tick, monotonic milliseconds; undefined when only an event can change anything. */
  readonly wakeAtMs: number | undefined
}

export function startArchiver(committed: Txid): ArchiverState {
  return {
    claimed: false,
    ended: false,
    working: undefined,
    workingSinceMs: 0,
    aside: undefined,
    asideSinceMs: 0,
    prepared: false,
    committed,
    archived: TXID_NONE,
    behindSinceMs: undefined,
    needsSnapshot: false,
    nextRoundMs: 0,
    due: [],
    failures: 0,
    retryAtMs: 0,
    errors: {},
  }
}

export function nameOf(work: ArchiveWork | undefined): WorkName {
  if (work === undefined || work.kind === 'claim') return 'claim'
  return work.kind === 'upload' ? 'upload' : work.job
}
