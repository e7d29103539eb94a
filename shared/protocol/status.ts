/** The `status` call on the `admin` channel: what a node says of itself, for operators. Nothing in it is a secret. */
import type { DurabilityLevel } from '../database/meta.ts'
import type { Alarm } from '../alarms.ts'

export interface ReplicaLink {
  readonly name: string
  readonly region: string | null
  readonly peerId: string
  readonly wal: boolean
  readonly revocations: boolean
  /** Position text of what it has durably applied. */
  readonly acknowledged: string | null
  /** Transactions it is behind. */
  readonly lag: number | null
  readonly revocationSeq: number | null
  /** Revocations of undone histories that it refuses by, and that wait for an operator; undefined from an older primary. */
  readonly denialsWaiting?: number
}

/** Of one place that the history is archived in. */
export interface DestinationStatus {
  readonly location: string
  /** Position text: everything up to here is in the archive. */
  readonly position: string | null
  /** Transactions that wait for it, and since when the oldest does, in milliseconds. */
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
  /** When each job last succeeded since this start, unix milliseconds. */
  readonly jobs: readonly { readonly job: string; readonly doneAtMs: number | null }[]
  /** What an operator should look at; empty when all is well. */
  readonly alerts: readonly string[]
}

export interface ArchiveStatus extends DestinationStatus {
  readonly copies: readonly DestinationStatus[]
}

/** `open`, or why writes are not taken. */
export const WRITES_STATES = ['open', 'unconfirmed', 'clock in doubt', 'disk full', 'stopping'] as const

/** Lines that this process could not get out, since its start. */
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
  /** The authority's public key, 64 hex digits: what its archive is checked with. */
  readonly authorityKey: string
  /** Null where nothing is archived. */
  readonly archive: ArchiveStatus | null
  /** What an operator has to act on, the critical ones first; empty when all is well. */
  readonly alarms: readonly Alarm[]
  readonly linesDropped: OutputDrops
  readonly replicas: readonly ReplicaLink[]
}

/** Of the volume of `data`. */
export interface DiskStatus {
  /** Only what revokes, and what leases wait for, is written. */
  readonly full: boolean
  /** Kept for that, and how much of it is there. */
  readonly reserveBytes: number
  readonly leftBytes: number
}

export interface DurabilityStatus {
  /** What a revocation must reach before it is acknowledged as durable. */
  readonly revocations: DurabilityLevel
  /** Whether less is acknowledged, and named as such, where that is not reached in time. */
  readonly degraded: boolean
  /** Since when that is so, unix milliseconds; null while the last one was durable. */
  readonly degradedSinceMs: number | null
  /** Such answers since the start. */
  readonly degradedAnswers: number
}

export interface PrimaryFreshness {
  /** The published bound B: within it a revocation binds everywhere. */
  readonly boundMs: number
  /** How long the leases are that it grants; 0 while it grants none. */
  readonly leaseMs: number
  /** False while not every replica has joined this epoch: no revocation is acknowledged. */
  readonly settled: boolean
  /** Why this node does not believe its clock, if it does not. */
  readonly clockDoubt: string | null
}

export interface ReplicaFreshness {
  /** As the primary states it; null before the first connection. */
  readonly boundMs: number | null
  /** What is left of the lease. At 0 every verdict is `unavailable`. */
  readonly leaseMs: number
  /** Age of the state that it judges by; null before the first lease. */
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
  readonly position: string | null
  readonly timeline: string | null
  /** Revocations known, from the stream or the pages. */
  readonly revocationSeq: number
  readonly revocations: number
  readonly keys: number
  /** Revocations of undone histories that it refuses by; undefined from an older replica. */
  readonly denials?: number
  readonly freshness: ReplicaFreshness
  readonly wal: LinkState
  readonly stream: LinkState
  /** Set while this replica refuses its primary (S10), or has met a revocation that it does not understand (V7). */
  readonly alarm: string | null
  /** What an operator has to act on, the critical ones first; empty when all is well. */
  readonly alarms: readonly Alarm[]
  readonly linesDropped: OutputDrops
  readonly walBytes: number
}

export interface LinkState {
  readonly phase: 'connecting' | 'connected' | 'waiting' | 'stopped'
  readonly error: string | null
}

export type NodeStatus = PrimaryStatus | ReplicaStatus
