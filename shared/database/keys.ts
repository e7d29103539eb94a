/** Reads orgs and root keys, and unseals the keys. Primary and replicas do this alike. */
import { deriveMacaroonKey } from '../crypto.ts'
import { kid as asKid, type Kid } from '../ids.ts'
import { unseal, type Kek } from '../sealing.ts'
import type { Connection } from '../sqlite/connection.ts'

export interface OrgRecord {
  readonly name: string
  readonly state: 'active' | 'disabled'
  readonly createdMs: number
}

export interface KeyRecord {
  readonly kid: Kid
  readonly org: string
  readonly orgState: 'active' | 'disabled'
  readonly generation: number
  readonly state: 'active' | 'retired'
  readonly createdMs: number
  /** The root key after libmacaroons' derivation, 32 bytes; memory only. */
  readonly derivedKey: Uint8Array
}

interface KeyColumns {
  readonly kid: Buffer
  readonly org: string
  readonly org_state: 'active' | 'disabled'
  readonly generation: number
  readonly state: 'active' | 'retired'
  readonly created_ms: number
  readonly sealed_secret: Buffer
}

export function readOrgs(db: Connection): OrgRecord[] {
  return db.prepare<[], OrgRecord>('SELECT name, state, created_ms AS createdMs FROM orgs ORDER BY name').all()
}

/** Throws kek_wrong when a key does not open: with the wrong KEK nothing here can be trusted to be complete. */
export function readKeys(db: Connection, ring: readonly Kek[], cluster: string): KeyRecord[] {
  const rows = db
    .prepare<[], KeyColumns>(
      `SELECT kid, org, orgs.state AS org_state, generation, root_keys.state, root_keys.created_ms, sealed_secret
       FROM root_keys JOIN orgs ON orgs.name = root_keys.org ORDER BY org, generation`,
    )
    .all()
  return rows.map((row) => {
    const kid = asKid(row.kid.toString('hex'))
    const secret = unseal(ring, { cluster, org: row.org, kid }, row.sealed_secret)
    const { org, generation, state } = row
    return {
      kid,
      org,
      generation,
      state,
      orgState: row.org_state,
      createdMs: row.created_ms,
      derivedKey: deriveMacaroonKey(secret),
    }
  })
}
