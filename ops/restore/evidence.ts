/**
 * What a place knows that must outlive a restore: revocations above all, then retired keys and disabled orgs, the issue
 * clock, the epochs there were, and the head of the audit chain that is given up.
 */
import { dueAsRevocations } from '../../primary/store/due-cut-offs.ts'
import { type Configured, readConfigured } from '../../shared/database/configured.ts'
import { type ForgottenRecord, readForgottenRecords } from '../../shared/database/forgotten.ts'
import { checkMeta, MetaReader } from '../../shared/database/meta.ts'
import { readRevocationColumns, type RevocationColumns } from '../../shared/database/revocation-columns.ts'
import type { Position } from '../../shared/position.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'
import type { Unsigned } from '../../shared/database/unsigned.ts'

/** Who tells. */
export type Teller =
  /** The archive's newest state, or a copy of a stopped replica. */
  | { readonly kind: 'archive' }
  | { readonly kind: 'copy' }
  | { readonly kind: 'old disk' }
  /** A replica that runs and was asked. */
  | { readonly kind: 'replica'; readonly peerId: string }

export interface Evidence {
  /** For people: `the archive's head`, `replica fra`, `old disk`. */
  readonly from: string
  readonly teller: Teller
  /** True if the authority's signature covers what it tells. */
  readonly signed: boolean
  /** Whom its state names as those who may acknowledge revocations; undefined where it does not say. */
  readonly configured: Configured | undefined
  /** Whose it is. */
  readonly cluster: string
  readonly position: Omit<Position, 'checksum'> | undefined
  /** The authority's word on where it stands, as a replica that runs shows it; undefined where it shows none. */
  readonly shown?: ShownPosition | undefined
  readonly revocations: readonly RevocationColumns[]
  readonly issueClockMs: number
  /** The longest lease that was ever granted: holders of one may live, whatever is restored. */
  readonly leaseMsMax: number
  /** Only a whole database tells these. */
  readonly database: DatabaseEvidence | undefined
}

export interface ShownPosition {
  /** As the replica says, which nobody signed. */
  readonly stated: Position
  /** The newest that it has with the authority's signature. */
  readonly signed: Position | undefined
}

export interface DatabaseEvidence {
  readonly retiredKeys: readonly Buffer[]
  readonly disabledOrgs: readonly string[]
  /** Rows of `root_keys`, for orgs that have no other key left. */
  readonly keys: readonly Readonly<Record<string, string | number | Buffer>>[]
  readonly epochs: readonly { readonly epoch: number; readonly timeline: string; readonly base_txid: number }[]
  readonly audit: { readonly seq: number; readonly head: Uint8Array }
  /** What operators gave up, of every history. */
  readonly forgotten: readonly ForgottenRecord[]
  /** Public keys of the third parties whose tickets are discharged, and names that were removed at some time. */
  readonly thirdParties: { readonly keys: readonly Buffer[]; readonly removed: readonly string[] }
}

const ROWS_A_READ = 1_000

/** Throws schema_newer, schema_older: its rows may mean something else. */
export function evidenceOfDatabase(
  { from, teller, signed }: Pick<Evidence, 'from' | 'teller' | 'signed'>,
  db: Database,
): Evidence {
  const meta = new MetaReader(db).read()
  const { cluster, epoch, txid, issueClockMs, leaseMsMax, auditSeq, auditHead } = meta
  checkMeta(meta, cluster, from)
  return {
    from,
    teller,
    signed,
    configured: readConfigured(db),
    cluster,
    position: { epoch, txid },
    revocations: [...allRevocations(db), ...dueAsRevocations(db, meta.schema)],
    issueClockMs,
    leaseMsMax,
    database: {
      retiredKeys: db.prepare<[], Buffer>("SELECT kid FROM root_keys WHERE state = 'retired'").pluck().all(),
      disabledOrgs: db.prepare<[], string>("SELECT name FROM orgs WHERE state = 'disabled'").pluck().all(),
      keys: db
        .prepare<[], Record<string, string | number | Buffer>>('SELECT * FROM root_keys ORDER BY generation')
        .all(),
      epochs: db.prepare<[], DatabaseEvidence['epochs'][number]>('SELECT epoch, timeline, base_txid FROM epochs').all(),
      audit: { seq: auditSeq, head: auditHead },
      forgotten: readForgottenRecords(db, meta.schema),
      thirdParties: {
        keys: db.prepare<[], Buffer>('SELECT public_key FROM third_parties').pluck().all(),
        removed: db.prepare<[], string>("SELECT target FROM audit WHERE action = 'third-party.remove'").pluck().all(),
      },
    },
  }
}

/** Every revocation of a database, under its number there. */
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
 * One revocation, whoever tells of it: what it is about. Two cut-offs of one subject at different times are two: the time is
 * in `key`. A token's key names its org as well, and a journal knows no other.
 */
export function revocationName({ kind, org, key }: RevocationColumns): string {
  return JSON.stringify(kind === 'token' ? [kind, key] : [kind, org, key])
}
