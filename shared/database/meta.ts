/**
 * The single row of the table `meta`: cluster, schema, position and counters of a database. Every transaction raises `txid` by
 * one. `checkMeta` refuses a database of another cluster or of an unknown schema.
 */
import { DURABILITY_LEVELS, type DurabilityLevel } from './durability-level.ts'
import type { Statement } from 'better-sqlite3'
import { MacaroondError } from '../errors.ts'
import { epoch, timeline, txid, type Epoch, type Timeline, type Txid } from '../ids.ts'
import type { Database } from '../sqlite/open-database.ts'
import { sqliteError } from '../files/storage-errors.ts'
import { SCHEMA_VERSION, SCHEMA_VERSION_MIN } from './schema.ts'

export interface Meta {
  readonly cluster: string
  readonly schema: number
  readonly txid: Txid
  readonly epoch: Epoch
  readonly timeline: Timeline
  /** The issue clock: the latest time that the authority ever stamped, unix milliseconds. It never goes back. */
  readonly issueClockMs: number
  /** Raised by every change of an org or a root key. Readers reload both tables when it changes. */
  readonly keyGeneration: number
  readonly revocationSeq: number
  readonly auditSeq: number
  readonly auditHead: Uint8Array
  /** The longest freshness lease ever granted. It is written before the first lease of that length is granted. */
  readonly leaseMsMax: number
  /** The last settled epoch: every replica has joined it, or the operator has confirmed that nobody leads an earlier one. */
  readonly settledEpoch: number
  /** The longest restart lease ever granted; 0 in schema 4. */
  readonly restartLeaseMsMax: number
  /** The durability that revocations are acknowledged with; undefined in schema 4, and until a primary has written it. */
  readonly durability: DurabilityLevel | undefined
  /** True if a revocation may have been acknowledged with less than `durability`. */
  readonly degraded: boolean
  /** The last epoch that was begun by a restore without revocations; 0 if there is none. */
  readonly withoutRevocationsEpoch: number
}

/** The optional columns are those that schema 5 added. */
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

/** Reads the row with a prepared statement, because a replica reads it after every transaction it applies. */
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
 * True if the file is a database of macaroond. Throws database_corrupt if it has a view, a trigger or a virtual table:
 * macaroond creates none, and they would run when the database is read or written. A view can have infinitely many rows.
 */
export function isOfMacaroond(db: Database): boolean {
  if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").get() === undefined) return false
  // Only tables and indexes have a root page.
  const program = db.prepare<[], string>('SELECT name FROM sqlite_schema WHERE coalesce(rootpage, 0) = 0').pluck().get()
  if (program === undefined) return true
  throw new MacaroondError(
    'database_corrupt',
    `it has the view or trigger ${program.slice(0, 80)}, which is not macaroond’s`,
    {
      hint: 'another program has changed this database: use another copy of it',
    },
  )
}

/**
 * Throws wrong_cluster, schema_newer or schema_older. Call it before any other read: another schema may give rows another
 * meaning.
 */
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
