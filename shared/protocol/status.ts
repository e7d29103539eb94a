/** The `status` call on the `admin` channel: the state of a node, for operators. Nothing in it is a secret. */
import type { DurabilityLevel } from '../database/durability-level.ts'
import type { Alarm } from '../alarms.ts'

export interface ReplicaLink {
  readonly name: string
  readonly region: string | null
  readonly peerId: string
  readonly wal: boolean
  readonly revocations: boolean
  /** Text of the position that it has durably applied. */
  readonly acknowledged: string | null
  /** Number of transactions that it is behind. */
  readonly lag: number | null
  readonly revocationSeq: number | null
  /** Number of its denials that wait for an operator; undefined from an older primary. */
  readonly denialsWaiting?: number
}

/** One archive: the main one, or a copy. */
export interface DestinationStatus {
  readonly location: string
  /** Text of the position up to which everything is in the archive. */
  readonly position: string | null
  /** Number of transactions that are not archived yet; `lagMs` is the age of the oldest, in milliseconds. */
  readonly lag: number
  readonly lagMs: number
  readonly files: number
  readonly bytes: number
  readonly lastDrill: {
    readonly atMs: number
    readonly ok: boolean
    readonly txid: number | null
    readonly error: string | null
  } | null
  /** Time of each job's last success since this start, unix milliseconds. */
  readonly jobs: readonly { readonly job: string; readonly doneAtMs: number | null }[]
  /** Conditions that an operator should look at; empty if there are none. */
  readonly alerts: readonly string[]
}

export interface ArchiveStatus extends DestinationStatus {
  readonly copies: readonly DestinationStatus[]
}

/** `open`, or the reason why writes are refused. */
export const WRITES_STATES = ['open', 'unconfirmed', 'clock in doubt', 'disk full', 'stopping'] as const

/** Number of lines that this process dropped since its start, by stream. */
export interface OutputDrops {
  readonly stdout: number
  /** Lines of the log. */
  readonly stderr: number
}

export interface PrimaryStatus {
  readonly role: 'primary'
  readonly cluster: string
  readonly pid: number
  readonly version: string
  readonly uptimeSeconds: number
  /** The node's wall clock, unix milliseconds; undefined from an older node. */
  readonly wallMs?: number
  readonly position: string
  readonly timeline: string
  readonly writes: (typeof WRITES_STATES)[number]
  readonly revocationSeq: number
  readonly orgs: number
  readonly freshness: PrimaryFreshness
  readonly durability: DurabilityStatus
  readonly log: { readonly first: number; readonly last: number; readonly bytes: number }
  readonly walFrames: number
  readonly disk: DiskStatus
  /** The authority's public key, 64 hex digits. Its archive is checked with it. */
  readonly authorityKey: string
  /** Null if nothing is archived. */
  readonly archive: ArchiveStatus | null
  /** Conditions that an operator must act on, critical ones first; empty if there are none. */
  readonly alarms: readonly Alarm[]
  readonly linesDropped: OutputDrops
  readonly replicas: readonly ReplicaLink[]
}

/** The volume of `data`. */
export interface DiskStatus {
  /** True if the disk is full: only revocations, and writes that leases wait for, are accepted. */
  readonly full: boolean
  /** Size of the reserve for these writes; `leftBytes` of it are left. */
  readonly reserveBytes: number
  readonly leftBytes: number
}

export interface DurabilityStatus {
  /** The level that a revocation must reach before it is acknowledged as durable. */
  readonly revocations: DurabilityLevel
  /** True if a revocation that misses the level in time is acknowledged as degraded. */
  readonly degraded: boolean
  /** Time since which answers are degraded, unix milliseconds; null if the last one was durable. */
  readonly degradedSinceMs: number | null
  /** Number of degraded answers since the start. */
  readonly degradedAnswers: number
}

export interface PrimaryFreshness {
  /** The published bound B: the time within which a revocation binds everywhere. */
  readonly boundMs: number
  /** Length of the leases that it grants; 0 while it grants none. */
  readonly leaseMs: number
  /** True if every replica has joined this epoch. Before that, no revocation is acknowledged. */
  readonly settled: boolean
  /** The reason why this node doubts its clock; null if it believes it. */
  readonly clockDoubt: string | null
}

export interface ReplicaFreshness {
  /** The bound that the primary states; null before the first connection. */
  readonly boundMs: number | null
  /** Remaining time of the lease. At 0 every verdict is `unavailable`. */
  readonly leaseMs: number
  /** Age of the state that it judges by, in milliseconds; null before the first lease. */
  readonly ageMs: number | null
  readonly clockDoubt: string | null
}

export interface ReplicaStatus {
  readonly role: 'replica'
  readonly cluster: string
  readonly name: string
  readonly region: string
  readonly pid: number
  readonly version: string
  readonly uptimeSeconds: number
  /** The node's wall clock, unix milliseconds; undefined from an older node. */
  readonly wallMs?: number
  readonly position: string | null
  readonly timeline: string | null
  /** Revocations known, from the stream or the pages. */
  readonly revocationSeq: number
  readonly revocations: number
  readonly keys: number
  /** Number of denials that it enforces; undefined from an older replica. */
  readonly denials?: number
  readonly freshness: ReplicaFreshness
  readonly wal: LinkState
  readonly stream: LinkState
  /** The whole database that is arriving; null if none is, undefined from an older replica. */
  readonly snapshot?: { readonly pages: number; readonly received: number } | null
  /** Text while this replica refuses its primary (S10), or has received a revocation that it does not understand (V7). */
  readonly alarm: string | null
  /** Conditions that an operator must act on, critical ones first; empty if there are none. */
  readonly alarms: readonly Alarm[]
  readonly linesDropped: OutputDrops
  readonly walBytes: number
}

export interface LinkState {
  readonly phase: 'connecting' | 'connected' | 'waiting' | 'stopped'
  readonly error: string | null
}

export type NodeStatus = PrimaryStatus | ReplicaStatus
