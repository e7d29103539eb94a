/**
 * The part of the primary's configuration that its database remembers: who could have acknowledged a revocation when this
 * was written. A restore reads it to find out which replicas have to be asked.
 */
import type { Database } from '../sqlite/open-database.ts'
import { MetaReader, type DurabilityLevel } from './meta.ts'

export interface Configured {
  /** In the order of their PeerIds. */
  readonly replicas: readonly ConfiguredReplica[]
  /** What a revocation must reach before it is acknowledged. */
  readonly durability: DurabilityLevel
  /** Whether less may have been acknowledged. */
  readonly degraded: boolean
}

export interface ConfiguredReplica {
  readonly peerId: string
  /** Empty where the configuration names none. */
  readonly region: string
}

/** Undefined in schema 4, and where no primary of schema 5 has written it. */
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
