/**
 * The table `archive_chains`. It records one entry of the chain of each archive. A store is accepted as this database's archive
 * if it has that entry, or continues from it, so an empty mount point is not mistaken for the archive.
 */
import type { Database } from '../sqlite/open-database.ts'

export interface ArchiveChain {
  /** Number of the entry. */
  readonly entry: number
  /** SHA-256 of that entry, hex. */
  readonly hash: string
  /** A repaired loss in this archive, in words, until an operator has acknowledged it; empty if there is none. */
  readonly repaired: string
}

const SCHEMA_MIN = 5

/** Keys are places: 0 is the archive, 1 and up are its copies in the order of the configuration. */
export function readArchiveChains(db: Database, schema: number): ReadonlyMap<number, ArchiveChain> {
  if (schema < SCHEMA_MIN) return new Map()
  const rows = db.prepare<[], ChainRow>('SELECT place, entry, hash, repaired FROM archive_chains').all()
  return new Map(rows.map(({ place, hash, ...rest }) => [place, { ...rest, hash: hash.toString('hex') }]))
}

/** For a restore. A restored database has no archive; its next start begins one, or continues the one it was restored from. */
export function deleteArchiveChains(db: Database, schema: number): void {
  if (schema >= SCHEMA_MIN) db.exec('DELETE FROM archive_chains')
}

interface ChainRow {
  readonly place: number
  readonly entry: number
  readonly hash: Buffer
  readonly repaired: string
}
