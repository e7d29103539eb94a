/** Builds the authority's state from its database: at start, and again after a transaction that failed. */
import { KeyReader, readOrgs } from '../../shared/database/keys.ts'
import { MetaReader } from '../../shared/database/meta.ts'
import { assert } from '../../shared/errors.ts'
import { resumeNonces } from '../../shared/macaroon/nonce.ts'
import type { Kek } from '../../shared/sealing.ts'
import type { Connection } from '../../shared/sqlite/connection.ts'
import type { AuthorityState, Org } from '../authority/state.ts'

export function loadState(db: Connection, ring: readonly Kek[]): AuthorityState {
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
    issue: resumeNonces(meta.issueClockMs),
    keyGeneration: meta.keyGeneration,
    revocationSeq: meta.revocationSeq,
    audit: { seq: meta.auditSeq, hash: meta.auditHead },
  }
}
