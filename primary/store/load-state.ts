/** Builds the authority's state from its database: at start, and again after a transaction that failed. */
import type { Entropy } from '../../shared/clock.ts'
import { KeyReader, readOrgs } from '../../shared/database/keys.ts'
import { MetaReader } from '../../shared/database/meta.ts'
import { RevocationLog } from '../../shared/database/revocation-log.ts'
import { assert } from '../../shared/errors.ts'
import type { Kid, Nonce } from '../../shared/ids.ts'
import { resumeNonces } from '../../shared/macaroon/nonce.ts'
import type { Kek } from '../../shared/sealing.ts'
import type { Connection } from '../../shared/sqlite/connection.ts'
import { RevocationTable, TABLE_SEED_BYTES } from '../../shared/verifier/revocation-table.ts'
import type { AuthorityState, Org } from '../authority/state.ts'
import { readThirdParties } from './third-parties.ts'

/** Few enough to be garbage before the next ones come. */
const ROWS_A_READ = 500

export function loadState(db: Connection, ring: readonly Kek[], entropy: Entropy): AuthorityState {
  const meta = new MetaReader(db).read()
  const keys = new Map(new KeyReader(db).read(ring, meta.cluster).map((key) => [key.kid, key]))
  const orgs = new Map<string, Org>()
  for (const { name, state, createdMs } of readOrgs(db)) {
    // Keys come in order of generation: the last active one mints.
    const active = [...keys.values()].findLast((key) => key.org === name && key.state === 'active')
    assert(active !== undefined || state === 'disabled', `org ${name} has no active key`)
    if (active !== undefined) orgs.set(name, { name, state, createdMs, activeKid: active.kid })
  }
  return {
    cluster: meta.cluster,
    epoch: meta.epoch,
    timeline: meta.timeline,
    orgs,
    keys,
    thirdParties: readThirdParties(db, ring, meta.cluster),
    revocations: readRevocations(db, meta.revocationSeq, entropy),
    issue: resumeNonces(meta.issueClockMs),
    keyGeneration: meta.keyGeneration,
    revocationSeq: meta.revocationSeq,
    audit: { seq: meta.auditSeq, hash: meta.auditHead },
  }
}

function readRevocations(db: Connection, expected: number, entropy: Entropy): RevocationTable {
  const table = new RevocationTable({ seed: entropy.bytes(TABLE_SEED_BYTES), expected })
  const log = new RevocationLog(db)
  for (let rows = log.after(0, ROWS_A_READ); rows.length > 0; rows = log.after(rows.at(-1)?.seq ?? 0, ROWS_A_READ)) {
    for (const { kid, nonce } of rows) table.add(kid as Kid, nonce as Nonce)
  }
  return table
}
