/**
 * The table `archive_chains`: one entry of each archive's manifest that this database knows of. A place that holds it, or goes
 * on from it, is the place; an empty mount point is not.
 */
import type { Database } from '../sqlite/open-database.ts'

export interface ArchiveChain {
  /** Number of an entry. */
  readonly entry: number
  /** SHA-256 of that entry, hex. */
  readonly hash: string
  /** What was lost there and repaired, in words, until an operator has seen it; empty for nothing. */
  readonly repaired: string
}

const SCHEMA_MIN = 5

/** By place: 0 is the archive, then its copies in the order of the configuration. */
export function readArchiveChains(db: Database, schema: number): ReadonlyMap<number, ArchiveChain> {
  if (schema < SCHEMA_MIN) return new Map()
  const rows = db.prepare<[], ChainRow>('SELECT place, entry, hash, repaired FROM archive_chains').all()
  return new Map(rows.map(({ place, hash, ...rest }) => [place, { ...rest, hash: hash.toString('hex') }]))
}

/** A restored database has no archive yet: its next start begins one, or goes on with the one that it was restored from. */
export function forgetArchiveChains(db: Database, schema: number): void {
  if (schema >= SCHEMA_MIN) db.exec('DELETE FROM archive_chains')
}

interface ChainRow {
  readonly place: number
  readonly entry: number
  readonly hash: Buffer
  readonly repaired: string
}
