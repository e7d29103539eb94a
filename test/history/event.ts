/**
 * The history of a run: requests of clients, their answers, and faults, one event a line (NDJSON).
 * All times are milliseconds of one monotonic clock: CLOCK_MONOTONIC on a real machine, which every process and every
 * network namespace of it shares, virtual time in a simulation. Nothing is judged by a wall clock.
 */
export type HistoryEvent = MintEvent | RevokeEvent | ForgetEvent | VerifyEvent | FaultEvent

interface Call {
  /** When the call began. */
  readonly inv: number
  /** When its answer was there. */
  readonly ret: number
}

export interface MintEvent extends Call {
  readonly t: 'mint'
  readonly id: string
  /** Tokens it was made from: a service token names its ancestors. */
  readonly ancestors: readonly string[]
  readonly org: string
  readonly subject: string
  /** Of its root key. */
  readonly kid: string
  /** By the authority's own clock of issue, unix milliseconds: it is compared with cut-offs, and with nothing else. */
  readonly issuedMs: number
}

/** What a revocation ends: one token, what was issued up to a moment (itself included), what a key has minted, a whole org for good. */
export type Named =
  | { readonly kind: 'token'; readonly id: string }
  | { readonly kind: 'subject'; readonly org: string; readonly subject: string; readonly untilMs: number }
  | { readonly kind: 'org'; readonly org: string; readonly untilMs: number }
  | { readonly kind: 'key'; readonly kid: string }
  | { readonly kind: 'disabled'; readonly org: string }

export interface RevokeEvent extends Call {
  readonly t: 'revoke'
  readonly named: Named
  readonly wait: 'local' | 'durable' | 'global'
  /**
   * `indeterminate`: nobody knows whether it was carried out. `refused`: it was not. `unpromised`: whoever said so had it alone,
   * on a disk that was lost, or had a successor already: who knows of it refuses, and nobody has to know.
   */
  readonly result: 'ok' | 'indeterminate' | 'refused' | 'unpromised'
  /** Refused for a reason of the primary's own, which lasted, while it granted leases (V8). */
  readonly granted?: true
  /** Place in the revocation log, where the answer says it. */
  readonly epoch?: number
  readonly seq?: number
}

/** An operator gives up what a restore has undone: the one exception to S3. What is asked for later acts. */
export interface ForgetEvent extends Call {
  readonly t: 'forget'
  readonly named: Named
}

export interface VerifyEvent extends Call {
  readonly t: 'verify'
  /** The process that asked: a worker with a cache, or a client of a replica. */
  readonly proc: string
  readonly region: string
  /** What it runs on, where that can be cut off from the region's replica. */
  readonly host?: string
  /** The node whose word it is: a worker's own cache has the worker's name. */
  readonly node: string
  /** The life of that process: a restart is another one. */
  readonly boot: string
  /** Id of the token that was shown, attenuated or not; undefined for one that nobody minted. */
  readonly id?: string
  readonly result: 'allow' | 'deny' | 'unavailable'
  /** Nobody was asked: the verdict is of the process's own cache. */
  readonly cached?: true
  /** Of a refusal. */
  readonly reason?: string
  /** Of an answer that says nothing of the token, in words. */
  readonly why?: string
  /** State that the verdict was judged by. */
  readonly epoch?: number
  readonly seq?: number
  /** What the caller asked for at least. */
  readonly minTxid?: number
  readonly txid?: number
}

export interface FaultEvent {
  readonly t: 'fault'
  readonly kind: FaultKind
  /** Region, host or process it was done to. */
  readonly target: string
  readonly from: number
  readonly until: number
  /** What shows that it took effect: packets dropped, signals delivered, the clock seen moved. Zero: it did nothing. */
  readonly effect: number
}

/** Those that only the kernel of a real machine has; the simulator has its own kind of late delivery, and its disks forget what was not synced. */
export type OnlyReal =
  | 'delivered late'
  | 'frozen'
  | 'processor throttled'
  | 'narrow link'
  | 'packets lost'
  | 'disk damaged'
  | 'disk lost'
  | 'disk error'
  | 'log full'
  | 'archive lies'
  | 'long reader'
  | 'hostile signer'

export type SimulatedKind =
  | 'cut both ways'
  | 'cut towards the replica'
  | 'cut towards the primary'
  | 'flapping'
  | 'stopped'
  | 'killed'
  | 'wall clock moved'
  | 'disk full'
  | 'links broken'
  | 'slow link'
  | 'power lost'
  | 'archive away'
  | 'archive answers lost'
  | 'archive lists late'
  | 'archive writes late'
  | 'restored'
  | 'restore interrupted'
  | 'restored blindly'
  | 'two primaries'
  | 'disk put back'
  | 'asleep'
  | 'years away'
  | 'keys changed'

export type FaultKind = SimulatedKind | OnlyReal

/** Faults that keep every answer from a region or host for as long as it counts: its lease ends while they last. */
export const ISOLATING: ReadonlySet<FaultKind> = new Set([
  'cut both ways',
  'cut towards the replica',
  'cut towards the primary',
  'delivered late',
])

/** Refusals that are final: what ended the token is a revocation. */
export const FALLEN: ReadonlySet<string | undefined> = new Set(['revoked', 'key_retired', 'org_disabled'])
