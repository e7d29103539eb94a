/**
 * Evidence: the facts from one place that must outlive a restore. These are revocations above all, retired keys and disabled
 * orgs, the issue clock, the longest lease, the epochs, and the head of the audit chain that the restore abandons.
 */
import type { DueCutOffRow } from '../../primary/authority/rows.ts'
import { readDueCutOffs } from '../../primary/store/due-cut-offs.ts'
import { type Configured, readConfigured } from '../../shared/database/configured.ts'
import { type ForgottenRecord, readForgottenRecords } from '../../shared/database/forgotten.ts'
import { checkMeta, MetaReader } from '../../shared/database/meta.ts'
import { readRevocationColumns, type RevocationColumns } from '../../shared/database/revocation-columns.ts'
import type { Timeline } from '../../shared/ids.ts'
import type { Position } from '../../shared/position.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'
import { readUnsigned, type Unsigned } from '../../shared/database/unsigned.ts'

/** The kind of place that evidence comes from. Only some kinds can be a witness, or give proof of a token's expiry. */
export type EvidenceSource =
  /** The archive's newest state. */
  | { readonly kind: 'archive' }
  /** The copy of a stopped replica, or damaged pages. */
  | { readonly kind: 'copy' }
  /** The stopped primary's own disk. */
  | { readonly kind: 'old disk' }
  /** A running replica that was asked. */
  | { readonly kind: 'replica'; readonly peerId: string }

/** The facts from one place. Numbers are limited by bounds.ts if `signed` is false. */
export interface Evidence {
  /** The name of the place for people: `the archive's head`, `replica fra`, `old disk`. */
  readonly from: string
  readonly source: EvidenceSource
  /** True if the authority's signature covers the evidence. */
  readonly signed: boolean
  /** The replicas that may acknowledge revocations, as its state names them; undefined if it does not name them. */
  readonly configured: Configured | undefined
  /** The name of the cluster. */
  readonly cluster: string
  readonly position: Omit<Position, 'checksum'> | undefined
  /** The positions that a running replica reports, stated and signed; undefined for other places. */
  readonly reported?: ReportedPositions | undefined
  readonly revocations: readonly RevocationColumns[]
  /** In words: parts of its files that a running replica cannot read. Such a replica is no witness. */
  readonly unread?: readonly string[] | undefined
  readonly issueClockMs: number
  /** The longest lease that was ever granted, milliseconds: a holder of one may still judge under it. */
  readonly leaseMsMax: number
  /** Facts that only a whole database has. */
  readonly database: DatabaseEvidence | undefined
}

/** The position of a running replica. */
export interface ReportedPositions {
  /** The replica's own statement, which nobody signed. */
  readonly stated: Position
  /** The newest position with the authority's signature. */
  readonly signed: Position | undefined
}

/** The part of the evidence that answers of a running replica do not contain. */
export interface DatabaseEvidence {
  readonly retiredKeys: readonly Buffer[]
  readonly disabledOrgs: readonly string[]
  /** All rows of `root_keys`, for orgs that would have no active key left. */
  readonly keys: readonly Readonly<Record<string, string | number | Buffer>>[]
  readonly epochs: readonly { readonly epoch: number; readonly timeline: string; readonly base_txid: number }[]
  readonly timeline: Timeline
  /** Cut-offs that were requested while the clock was in doubt, and are not appended yet. */
  readonly due: readonly DueCutOffRow[]
  /** Revocations that an earlier restore found unsigned, for an operator to decide on. */
  readonly unsigned: readonly Unsigned[]
  readonly audit: { readonly seq: number; readonly head: Uint8Array }
  /** The revocations that operators gave up, of every history. */
  readonly forgotten: readonly ForgottenRecord[]
  /** Public keys of the registered third parties, and the names of all that were ever removed. */
  readonly thirdParties: { readonly keys: readonly Buffer[]; readonly removed: readonly string[] }
}

/** A database may have millions of revocations, so they are read in parts. */
const ROWS_A_READ = 1_000

/** Throws schema_newer, schema_older: rows of another schema may have another meaning. */
export function evidenceOfDatabase(
  { from, source, signed }: Pick<Evidence, 'from' | 'source' | 'signed'>,
  db: Database,
): Evidence {
  const meta = new MetaReader(db).read()
  const { cluster, epoch, txid, issueClockMs, leaseMsMax, auditSeq, auditHead } = meta
  checkMeta(meta, cluster, from)
  return {
    from,
    source,
    signed,
    configured: readConfigured(db),
    cluster,
    position: { epoch, txid },
    revocations: [...allRevocations(db)],
    issueClockMs,
    leaseMsMax,
    database: {
      retiredKeys: db.prepare<[], Buffer>("SELECT kid FROM root_keys WHERE state = 'retired'").pluck().all(),
      disabledOrgs: db.prepare<[], string>("SELECT name FROM orgs WHERE state = 'disabled'").pluck().all(),
      keys: db
        .prepare<[], Record<string, string | number | Buffer>>('SELECT * FROM root_keys ORDER BY generation')
        .all(),
      epochs: db.prepare<[], DatabaseEvidence['epochs'][number]>('SELECT epoch, timeline, base_txid FROM epochs').all(),
      timeline: meta.timeline,
      due: readDueCutOffs(db, meta.schema),
      unsigned: readUnsigned(db, meta.schema),
      audit: { seq: auditSeq, head: auditHead },
      forgotten: readForgottenRecords(db, meta.schema),
      thirdParties: {
        keys: db.prepare<[], Buffer>('SELECT public_key FROM third_parties').pluck().all(),
        removed: db.prepare<[], string>("SELECT target FROM audit WHERE action = 'third-party.remove'").pluck().all(),
      },
    },
  }
}

/** Every revocation of a database, with its number in that database. */
export function unsignedIn(db: Database): readonly Unsigned[] {
  const { timeline, epoch } = new MetaReader(db).read()
  return readRevocationColumns(db, 0, -1).map(({ seq, columns }) => ({ timeline, epoch, seq, columns }))
}

function* allRevocations(db: Database): Generator<RevocationColumns> {
  for (let after = 0; ;) {
    const rows = readRevocationColumns(db, after, ROWS_A_READ)
    for (const { columns } of rows) yield columns
    const last = rows.at(-1)
    if (last === undefined || rows.length < ROWS_A_READ) return
    after = last.seq
  }
}

/**
 * A text that is equal for the same revocation from any place. Two cut-offs of a subject at different times differ, because
 * `key` contains the time. For a token the org is left out: its kid determines it, and a journal does not store it.
 */
export function revocationName({ kind, org, key }: RevocationColumns): string {
  return JSON.stringify(kind === 'token' ? [kind, key] : [kind, org, key])
}
