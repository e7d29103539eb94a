/** Builds the authority's state from its database, at start and after a transaction that failed. */
import type { Entropy } from '../../shared/clock.ts'
import { readArchiveChains } from '../../shared/database/archive-chains.ts'
import { readConfigured } from '../../shared/database/configured.ts'
import { KeyReader, readOrgs, type KeyRecord, type OrgRecord } from '../../shared/database/keys.ts'
import { readEpochs } from '../../shared/database/epochs.ts'
import { ForgottenNumbers, readForgotten } from '../../shared/database/forgotten.ts'
import { type Meta, MetaReader } from '../../shared/database/meta.ts'
import { readSigningKeys } from '../../shared/database/signing-key.ts'
import { RevocationLog } from '../../shared/database/revocation-log.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { Kid } from '../../shared/ids.ts'
import { resumeNonces } from '../../shared/macaroon/nonce.ts'
import type { Kek } from '../../shared/sealing.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'
import { notUnderstood } from '../../shared/verifier/revocation-row.ts'
import type { CutOffs } from '../../shared/verifier/cut-offs.ts'
import { TABLE_SEED_BYTES } from '../../shared/verifier/revocation-table.ts'
import { Revocations } from '../../shared/verifier/revocations.ts'
import { dueCutOffKey } from '../authority/due-cut-offs.ts'
import type { RequestRow } from '../authority/rows.ts'
import { type AuthorityState, noteNewestSeq, type Org, type OrgKey } from '../authority/state.ts'
import type { KnownRevocations } from '../commit-log/group-writer.ts'
import { readDueCutOffs } from './due-cut-offs.ts'
import { readThirdParties } from './third-parties.ts'

/** The first schema with the table `adoptions`. */
const ADOPTIONS_SCHEMA_MIN = 5
/** Small enough that one batch can be garbage-collected before the next is read. */
const ROWS_A_READ = 500

/**
 * If `known` is given, reads only later revocations and adds them to it. Throws kek_wrong. Throws schema_newer for a
 * revocation of an unknown kind: leaving it out would accept a revoked token.
 */
export function loadState(
  db: Database,
  ring: readonly Kek[],
  entropy: Entropy,
  known?: KnownRevocations,
): AuthorityState {
  const meta = new MetaReader(db).read()
  const start = known ?? { revocations: newTable(expectedRows(db), entropy), newestSeqs: new Map(), seq: 0 }
  const { revocations, newestSeqs } = readRevocations(db, start)
  const { cutOffs } = revocations
  const keys = new Map(readKeys(db, ring, meta.cluster).map((key) => [key.kid, withRetirement(key, cutOffs)]))
  const requests = readRequests(db)
  const due = readDueCutOffs(db, meta.schema)
  return {
    cluster: meta.cluster,
    epoch: meta.epoch,
    timeline: meta.timeline,
    orgs: new Map(readOrgs(db).map((org) => [org.name, withDisabling(org, keys, cutOffs)])),
    keys,
    thirdParties: readThirdParties(db, ring, meta.cluster),
    signingKeys: readSigningKeys(db),
    revocations,
    newestSeqs,
    undo: [],
    adopted: readAdopted(db, meta),
    forgotten: new ForgottenNumbers(readForgotten(db, meta.schema)),
    epochs: readEpochs(db),
    withoutRevocationsEpoch: meta.withoutRevocationsEpoch,
    requests: new Map(requests.map((row) => [row.id, row])),
    dueCutOffs: new Map(due.map((row) => [dueCutOffKey(row.cutOff), row])),
    dueSeq: due.at(-1)?.seq ?? 0,
    txid: meta.txid,
    requestSeq: requests.at(-1)?.seq ?? 0,
    // A restore may take a cut-off from a replica's journal, and its time may be later than every issue clock that the restore
    // found.
    issue: resumeNonces(Math.max(meta.issueClockMs, cutOffs.latestMs)),
    keyGeneration: meta.keyGeneration,
    revocationSeq: meta.revocationSeq,
    audit: { seq: meta.auditSeq, hash: meta.auditHead },
    leaseMsMax: meta.leaseMsMax,
    configured: readConfigured(db),
    archiveChains: new Map(readArchiveChains(db, meta.schema)),
    settledEpoch: meta.settledEpoch,
  }
}

/** Throws kek_wrong if a key does not open: without it the authority could not mint or judge presented tokens. */
function readKeys(db: Database, ring: readonly Kek[], cluster: string): readonly KeyRecord[] {
  const { keys, unopened } = new KeyReader(db).read(ring, cluster)
  const [missing] = unopened
  if (missing !== undefined) throw missing.error
  return keys
}

/**
 * A restore brings back older rows of keys and orgs, and keeps every revocation. So a key is retired if a revocation says so,
 * whatever its row says.
 */
function withRetirement(key: KeyRecord, cutOffs: CutOffs): OrgKey {
  const { kid, org } = key
  const retired = cutOffs.reach({ kind: 'key', org, kid, seq: 0, expiresAt: 0 }) !== undefined
  return retired ? { ...key, state: 'retired' } : key
}

function withDisabling({ name, state, createdMs }: OrgRecord, keys: ReadonlyMap<Kid, OrgKey>, cutOffs: CutOffs): Org {
  const disabled = cutOffs.reach({ kind: 'org_disabled', org: name, seq: 0, expiresAt: 0 }) !== undefined
  // Keys come in order of generation. The last active one mints.
  const active = [...keys.values()].findLast((key) => key.org === name && key.state === 'active')
  return { name, state: disabled ? 'disabled' : state, createdMs, activeKid: active?.kid }
}

/** An estimate from the range of numbers: a count would read every row, and purges mostly remove the oldest. */
function expectedRows(db: Database): number {
  const range = 'SELECT (SELECT MAX(seq) FROM revocations) - (SELECT MIN(seq) FROM revocations)'
  return db.prepare<[], number | null>(range).pluck().get() ?? 0
}

function newTable(expected: number, entropy: Entropy): Revocations {
  return new Revocations({ seed: entropy.bytes(TABLE_SEED_BYTES), expected })
}

function readRevocations(db: Database, known: KnownRevocations): KnownRevocations {
  const { revocations, newestSeqs, seq } = known
  const log = new RevocationLog(db)
  for (let rows = log.after(seq, ROWS_A_READ); rows.length > 0; rows = log.after(rows.at(-1)?.seq ?? 0, ROWS_A_READ)) {
    for (const row of rows) {
      if (row.kind === 'unknown') throw new MacaroondError('schema_newer', notUnderstood(row))
      revocations.take(row)
      noteNewestSeq(newestSeqs, row)
    }
  }
  return known
}

/** Denials adopted in this epoch, by the PeerId of the replica. */
function readAdopted(db: Database, { epoch, schema }: Meta): Map<string, number> {
  if (schema < ADOPTIONS_SCHEMA_MIN) return new Map()
  const statement = db.prepare<[number], { peer_id: string; revocations: number }>(
    'SELECT peer_id, revocations FROM adoptions WHERE epoch = ?',
  )
  return new Map(statement.all(epoch).map((row) => [row.peer_id, row.revocations]))
}

function readRequests(db: Database): readonly RequestRow[] {
  return db
    .prepare<[], RequestRow>('SELECT seq, id, digest, answer, epoch, txid, at_ms AS atMs FROM requests ORDER BY seq')
    .all()
}
