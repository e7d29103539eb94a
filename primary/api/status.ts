/** Builds the answer of `status` on a primary from its parts. */
import type { KnownPeer } from '../../shared/channel/peers.ts'
import { positionText } from '../../shared/position.ts'
import type {
  DiskStatus,
  OutputDrops,
  PrimaryFreshness,
  PrimaryStatus,
  ReplicaLink,
} from '../../shared/protocol/status.ts'
import type { Alarm } from '../../shared/alarms.ts'
import { VERSION } from '../../shared/version.ts'
import type { AuthorityState } from '../authority/state.ts'
import type { CommitLog } from '../commit-log/commit-log.ts'
import type { Archives } from '../archiver/archives.ts'
import type { DiskRoom } from '../commit-log/disk-room.ts'
import type { Durability } from '../durability/durability.ts'
import type { AuthorityClock } from '../freshness/authority-clock.ts'
import type { Publisher } from '../publisher/publisher.ts'
import type { WritesState } from './refusals.ts'

export interface PrimaryStatusSources {
  readonly cluster: string
  readonly commitLog: CommitLog
  readonly writes: WritesState
  readonly state: AuthorityState
  readonly uptimeMs: number
  readonly wallMs: number
  readonly replicas: readonly KnownPeer[]
  readonly publisher: Publisher
  readonly authorityKey: Uint8Array
  readonly archives: Archives | undefined
  readonly authorityClock: Pick<AuthorityClock, 'time'>
  /** The bound B: revocations bind within this time. */
  readonly boundMs: number
  readonly leaseMs: number
  /** True if leases are granted. */
  readonly grants: boolean
  readonly room: Pick<DiskRoom, 'bytes' | 'full'>
  readonly durability: Durability
  /** Number of denials that wait for an operator, by the PeerId of the replica. */
  readonly denials: ReadonlyMap<string, number>
  readonly alarms: readonly Alarm[]
  readonly linesDropped: OutputDrops
}

export function primaryStatus(sources: PrimaryStatusSources): PrimaryStatus {
  const { cluster, commitLog, writes, state, uptimeMs, wallMs } = sources
  return {
    role: 'primary',
    cluster,
    pid: process.pid,
    version: VERSION,
    uptimeSeconds: Math.floor(uptimeMs / 1000),
    wallMs,
    position: positionText(commitLog.head),
    timeline: commitLog.timeline,
    writes,
    revocationSeq: state.revocationSeq,
    orgs: state.orgs.size,
    freshness: freshnessOf(sources),
    durability: sources.durability.status(),
    log: commitLog.log,
    walFrames: commitLog.walFrames,
    disk: diskOf(sources),
    authorityKey: Buffer.from(sources.authorityKey).toString('hex'),
    archive: sources.archives?.status() ?? null,
    alarms: sources.alarms,
    linesDropped: sources.linesDropped,
    replicas: sources.replicas.map((peer) => linkOf(peer, sources)),
  }
}

/**
 * `leaseMs` is the length of the leases that are granted now. It is 0 if none is granted, and shorter than configured until
 * the database allows the configured length.
 */
function freshnessOf({ state, authorityClock, boundMs, leaseMs, grants }: PrimaryStatusSources): PrimaryFreshness {
  const { time } = authorityClock
  return {
    boundMs,
    leaseMs: grants ? Math.min(leaseMs, state.leaseMsMax) : 0,
    settled: state.settledEpoch >= state.epoch,
    clockDoubt: time.credible ? null : time.message,
  }
}

function diskOf({ room }: PrimaryStatusSources): DiskStatus {
  const { reserve, left } = room.bytes
  return { full: room.full, reserveBytes: reserve, leftBytes: left }
}

/** The link to one configured replica. `lag`: transactions that it has not acknowledged; null if it acknowledged none. */
function linkOf(peer: KnownPeer, { publisher, commitLog, denials }: PrimaryStatusSources): ReplicaLink {
  const { wal, revocations, acknowledged, revocationSeq } = publisher.status(peer.id)
  return {
    name: peer.name,
    region: peer.region ?? null,
    peerId: peer.id,
    wal,
    revocations,
    acknowledged: acknowledged === undefined ? null : positionText(acknowledged),
    lag: acknowledged === undefined ? null : commitLog.head.txid - acknowledged.txid,
    revocationSeq: revocationSeq ?? null,
    denialsWaiting: denials.get(peer.id) ?? 0,
  }
}
