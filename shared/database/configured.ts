/**
 * The part of the primary's configuration that its database records: the replicas that could acknowledge a revocation. A
 * restore reads it to learn which replicas it must ask for revocations that the archive lacks.
 */
import type { Database } from '../sqlite/open-database.ts'
import { MetaReader } from './meta.ts'
import { type DurabilityLevel } from './durability-level.ts'

export interface Configured {
  /** In the order of their PeerIds. */
  readonly replicas: readonly ConfiguredReplica[]
  /** The level that a revocation must reach before it is acknowledged. */
  readonly durability: DurabilityLevel
  /** True if a revocation may have been acknowledged at a lower level. */
  readonly degraded: boolean
}

export interface ConfiguredReplica {
  readonly peerId: string
  /** Empty if the configuration names none. */
  readonly region: string
}

/** Undefined in schema 4, and in schema 5 until a primary has written it. */
export function readConfigured(db: Database): Configured | undefined {
  const { durability, degraded } = new MetaReader(db).read()
  if (durability === undefined) return undefined
  const select = 'SELECT peer_id AS peerId, region FROM configured_replicas ORDER BY peer_id'
  return { replicas: db.prepare<[], ConfiguredReplica>(select).all(), durability, degraded }
}

export function isSameConfiguration(a: Configured | undefined, b: Configured): boolean {
  return a !== undefined && textOf(a) === textOf(b)
}

function textOf({ replicas, durability, degraded }: Configured): string {
  return JSON.stringify([durability, degraded, ...replicas.map(({ peerId, region }) => [peerId, region])])
}
