/** The status of a replica, for `macaroond status`, metrics and the log. It only reads its parts. */
import type { SupervisionState } from '../shared/channel/supervisor.ts'
import { positionText } from '../shared/position.ts'
import type { LinkState, OutputDrops, ReplicaFreshness, ReplicaStatus } from '../shared/protocol/status.ts'
import type { Alarm } from '../shared/alarms.ts'
import { VERSION } from '../shared/version.ts'
import type { ReplicaConfig } from './config.ts'
import type { Denials } from './denials/denials.ts'
import type { Follower } from './follower/follower.ts'
import type { Freshness } from './freshness/freshness.ts'
import type { PrimaryLinks } from './primary-links.ts'
import type { DatabaseCopy } from './store/database-copy.ts'
import type { Tables } from './tables/tables.ts'

export interface ReplicaStatusSources {
  readonly config: ReplicaConfig
  readonly peerId: string
  readonly uptimeMs: number
  readonly wallMs: number
  readonly copy: DatabaseCopy
  readonly tables: Tables
  readonly denials: Pick<Denials, 'size'>
  readonly links: PrimaryLinks
  readonly follower: Pick<Follower, 'incoming'>
  readonly freshness: Freshness
  readonly alarms: readonly Alarm[]
  readonly linesDropped: OutputDrops
}

/** The status as the protocol defines it. */
export function replicaStatus({
  config,
  peerId,
  uptimeMs,
  wallMs,
  copy,
  tables,
  denials,
  links,
  follower,
  freshness,
  alarms,
  linesDropped,
}: ReplicaStatusSources): ReplicaStatus {
  const { applied } = copy
  return {
    role: 'replica',
    cluster: config.cluster,
    name: peerId,
    region: config.region,
    pid: process.pid,
    version: VERSION,
    uptimeSeconds: Math.floor(uptimeMs / 1000),
    wallMs,
    position: applied === undefined ? null : positionText(applied.position),
    timeline: applied?.timeline ?? null,
    revocationSeq: tables.revocationSeq,
    ...tables.counts,
    denials: denials.size,
    freshness: freshnessOf(freshness),
    wal: linkState(links.state('wal')),
    stream: linkState(links.state('revocations')),
    snapshot: follower.incoming ?? null,
    alarm: links.alarm ?? tables.uninterpretable ?? tables.poison ?? null,
    alarms,
    linesDropped,
    walBytes: copy.walBytes,
  }
}

function freshnessOf(freshness: Freshness): ReplicaFreshness {
  const now = freshness.now()
  const ageMs = freshness.ageMs(now)
  const time = freshness.time(now)
  return {
    boundMs: freshness.boundMs ?? null,
    leaseMs: Math.floor(freshness.remainingMs(now)),
    ageMs: ageMs === Infinity ? null : Math.ceil(ageMs),
    clockDoubt: time.credible ? null : time.message,
  }
}

function linkState(state: SupervisionState | undefined): LinkState {
  const phase = state?.phase ?? 'connecting'
  return { phase, error: state?.phase === 'waiting' ? (state.error?.message ?? null) : null }
}
