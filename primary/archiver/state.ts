/** The types of the archiver's core: its state, its events and the work it orders. */
import type { ErrorCode } from '../../shared/errors.ts'
import { TXID_NONE, type Txid } from '../../shared/ids.ts'

export type JobName = 'snapshot' | 'compact 1' | 'compact 2' | 'compact 3' | 'retain' | 'drill' | 'heartbeat'

/** Jobs whose duration grows with the database. They add no entry to the chain, so they run in the background. */
export type BackgroundJobName = Extract<JobName, 'snapshot' | 'drill'>

export type ChainJobName = Exclude<JobName, 'drill'>

export type ArchiveWork =
  /** Reads the archive, and claims it for this epoch. */
  | { readonly kind: 'claim' }
  /** Uploads the committed transactions after `after`. */
  | { readonly kind: 'upload'; readonly after: Txid }
  /** A job that adds entries to the chain, or that must not run while another job does. */
  | { readonly kind: 'job'; readonly job: ChainJobName }
  /** Uploads a snapshot's file, or runs a drill, while the chain goes on. */
  | { readonly kind: 'background'; readonly job: BackgroundJobName }

/** Name of a work in alerts. */
export type WorkName = 'claim' | 'upload' | JobName

export interface ArchiverRules {
  /** Milliseconds between the starts of two uploads, so that many transactions share a round; 0 for no pause. */
  readonly roundMs: number
  readonly retryBaseMs: number
  readonly retryMaxMs: number
  /** A transaction or job that waits longer than this raises an alert. So does work that runs several times as long. */
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
  /** True after a failure that no retry can solve, for example because another primary leads. Nothing more is written. */
  readonly ended: boolean
  readonly working: ArchiveWork | undefined
  readonly workingSinceMs: number
  /** The job in the background lane. */
  readonly background: BackgroundJobName | undefined
  readonly backgroundSinceMs: number
  /** True if a snapshot's file is in the archive, and no entry names it yet. */
  readonly snapshotUploaded: boolean
  readonly committed: Txid
  /** Every transaction up to this one is in the archive and in its manifest. */
  readonly archived: Txid
  /** Start of the present backlog, monotonic milliseconds; undefined if there is none. */
  readonly behindSinceMs: number | undefined
  /** True if the log lacks the transaction after the archive's last one, so that a snapshot must come first. */
  readonly needsSnapshot: boolean
  readonly nextRoundMs: number
  readonly due: readonly Due[]
  readonly failures: number
  readonly retryAtMs: number
  /** The last failure of each work, until that work succeeds. */
  readonly errors: Readonly<Partial<Record<WorkName, Failure>>>
}

export type ArchiverEvent =
  | { readonly kind: 'committed'; readonly txid: Txid }
  | { readonly kind: 'due'; readonly job: JobName }
  /** A caller waits for the archive, so the next round begins now. */
  | { readonly kind: 'hurry' }
  | { readonly kind: 'claimed'; readonly archived: Txid; readonly needsSnapshot: boolean }
  | { readonly kind: 'uploaded'; readonly archived: Txid }
  /** The log no longer has the next transaction: a snapshot must bridge the gap. */
  | { readonly kind: 'gap' }
  /** `archived` is set only by a snapshot that bridges a gap. */
  | { readonly kind: 'job done'; readonly archived: Txid | undefined }
  | { readonly kind: 'failed'; readonly failure: Failure; readonly final: boolean }
  /** An operator has confirmed the losses: a new claim begins at once and repairs the chain. */
  | { readonly kind: 'repair' }
  | { readonly kind: 'background done' }
  | { readonly kind: 'background failed'; readonly failure: Failure }
  | { readonly kind: 'tick' }

export interface ArchiverStep {
  readonly state: ArchiverState
  /** Work to start, at most one in each lane. */
  readonly start: readonly ArchiveWork[]
  /** Time of the next tick, monotonic milliseconds; undefined if a tick would change nothing. */
  readonly wakeAtMs: number | undefined
}

export function startArchiver(committed: Txid): ArchiverState {
  return {
    claimed: false,
    ended: false,
    working: undefined,
    workingSinceMs: 0,
    background: undefined,
    backgroundSinceMs: 0,
    snapshotUploaded: false,
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

/** Returns the name of a work. Call it with undefined only where the name is not used. */
export function nameOf(work: ArchiveWork | undefined): WorkName {
  if (work === undefined || work.kind === 'claim') return 'claim'
  return work.kind === 'upload' ? 'upload' : work.job
}
