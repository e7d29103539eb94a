/** The one row of `meta`: whose database this is, and where it stands. Every transaction raises `txid` by one. */
import type { Statement } from 'better-sqlite3'
import { MacaroondError } from '../errors.ts'
import { epoch, timeline, txid, type Epoch, type Timeline, type Txid } from '../ids.ts'
import type { Database } from '../sqlite/open-database.ts'
import { sqliteError } from '../files/storage-errors.ts'
import { SCHEMA_VERSION, SCHEMA_VERSION_MIN } from './schema.ts'

/** Where a write must have arrived before it is acknowledged, weakest first. */
export const DURABILITY_LEVELS = ['local', 'replica', 'archive'] as const
export type DurabilityLevel = (typeof DURABILITY_LEVELS)[number]

export interface Meta {
  readonly cluster: string
  readonly schema: number
  readonly txid: Txid
  readonly epoch: Epoch
  readonly timeline: Timeline
  /** Last millisecond of the monotone issue clock that a token was minted at. */
  readonly issueClockMs: number
  /** Raised whenever an org or a root key changes: readers of the tables reload when it does. */
  readonly keyGeneration: number
  readonly revocationSeq: number
  readonly auditSeq: number
  readonly auditHead: Uint8Array
  /** The longest lease of freshness that was ever granted: written down before the first of that length. */
  readonly leaseMsMax: number
  /** The last epoch that every replica has joined, or of which the operator said that nobody leads an earlier one. */
  readonly settledEpoch: number
  /** The longest restart lease that was ever granted; 0 in schema 4. */
  readonly restartLeaseMsMax: number
  /** What revocations were acknowledged with when this was written; undefined in schema 4 and before a primary wrote it. */
  readonly durability: DurabilityLevel | undefined
  /** Whether less than `durability` may have been acknowledged. */
  readonly degraded: boolean
  /** The last epoch that a restore without revocations began; 0 for none. */
  readonly withoutRevocationsEpoch: number
}

/** Columns that schema 5 added are absent in a database of schema 4. */
interface MetaColumns {
  readonly cluster: string
  readonly schema: number
  readonly txid: number
  readonly epoch: number
  readonly timeline: string
  readonly issue_clock_ms: number
  readonly key_generation: number
  readonly revocation_seq: number
  readonly audit_seq: number
  readonly audit_head: Buffer
  readonly lease_ms_max: number
  readonly settled_epoch: number
  readonly restart_lease_ms_max?: number
  readonly durability?: string
  readonly degraded?: number
  readonly without_revocations_epoch?: number
}

/** Keeps the statement: replicas read this row after every transaction they apply. */
export class MetaReader {
  readonly #select: Statement<[], MetaColumns>

  constructor(db: Database) {
    this.#select = db.prepare<[], MetaColumns>('SELECT * FROM meta')
  }

  read(): Meta {
    const row = this.#row()
    if (row === undefined) throw new MacaroondError('database_corrupt', 'the database has no meta row')
    return {
      cluster: row.cluster,
      schema: row.schema,
      txid: txid(row.txid),
      epoch: epoch(row.epoch),
      timeline: timeline(row.timeline),
      issueClockMs: row.issue_clock_ms,
      keyGeneration: row.key_generation,
      revocationSeq: row.revocation_seq,
      auditSeq: row.audit_seq,
      auditHead: row.audit_head,
      leaseMsMax: row.lease_ms_max,
      settledEpoch: row.settled_epoch,
      restartLeaseMsMax: row.restart_lease_ms_max ?? 0,
      durability: DURABILITY_LEVELS.find((level) => level === row.durability),
      degraded: row.degraded === 1,
      withoutRevocationsEpoch: row.without_revocations_epoch ?? 0,
    }
  }

  #row(): MetaColumns | undefined {
    try {
      return this.#select.get()
    } catch (error) {
      throw sqliteError(error, `reading ${this.#select.database.name}`)
    }
  }
}

/**
 * True for a database of macaroond, whoever wrote it. Throws database_corrupt where it has a view, a trigger or a virtual table:
 * macaroond makes none, and they run when the database is read or written. A view can have rows without end.
 */
export function isOfMacaroond(db: Database): boolean {
  if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").get() === undefined) return false
  // Only tables and indexes have pages of their own.
  const program = db.prepare<[], string>('SELECT name FROM sqlite_schema WHERE coalesce(rootpage, 0) = 0').pluck().get()
  if (program === undefined) return true
  throw new MacaroondError(
    'database_corrupt',
    `it has the view or trigger ${program.slice(0, 80)}, which is not macaroond’s`,
    {
      hint: 'somebody has changed it: take another copy',
    },
  )
}

/** Throws wrong_cluster, schema_newer, schema_older: nothing is read from a database whose rows may mean something else. */
export function checkMeta(meta: Meta, cluster: string, file: string): void {
  if (meta.cluster !== cluster) {
    throw new MacaroondError('wrong_cluster', `${file} belongs to cluster "${meta.cluster}", not "${cluster}"`, {
      hint: 'check `cluster` and `data` in the configuration',
    })
  }
  if (meta.schema > SCHEMA_VERSION) {
    throw new MacaroondError(
      'schema_newer',
      `${file} has schema ${meta.schema}, this macaroond knows ${SCHEMA_VERSION}`,
      {
        hint: 'run the macaroond that wrote it, or a newer one',
      },
    )
  }
  if (meta.schema < SCHEMA_VERSION_MIN) {
    throw new MacaroondError(
      'schema_older',
      `${file} has schema ${meta.schema}, which was never released; this macaroond reads ${SCHEMA_VERSION_MIN} to ${SCHEMA_VERSION}`,
      { hint: 'start with an empty data folder' },
    )
  }
}
