/** Reads orgs and root keys, and unseals the keys. Primary and replicas do this alike. */
import type { Statement } from 'better-sqlite3'
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

interface OpenedKey {
  readonly sealed: Buffer
  readonly derivedKey: Uint8Array
}

/** Keeps what it has unsealed: a change of one key does not open all the others again. */
export class KeyReader {
  readonly #select: Statement<[], KeyColumns>
  #opened = new Map<Kid, OpenedKey>()

  constructor(db: Connection) {
    this.#select = db.prepare<[], KeyColumns>(
      `SELECT kid, org, orgs.state AS org_state, generation, root_keys.state, root_keys.created_ms, sealed_secret
       FROM root_keys JOIN orgs ON orgs.name = root_keys.org ORDER BY org, generation`,
    )
  }

  /** Throws kek_wrong when a key does not open: with the wrong KEK nothing here can be trusted to be complete. */
  read(ring: readonly Kek[], cluster: string): KeyRecord[] {
    const opened = new Map<Kid, OpenedKey>()
    const records = this.#select.all().map((row): KeyRecord => {
      const kid = asKid(row.kid.toString('hex'))
      const derivedKey = this.#known(kid, row) ?? open(row, kid, ring, cluster)
      opened.set(kid, { sealed: row.sealed_secret, derivedKey })
      const { org, generation, state } = row
      return { kid, org, generation, state, orgState: row.org_state, createdMs: row.created_ms, derivedKey }
    })
    this.#opened = opened
    return records
  }

  #known(kid: Kid, row: KeyColumns): Uint8Array | undefined {
    const before = this.#opened.get(kid)
    return before?.sealed.equals(row.sealed_secret) === true ? before.derivedKey : undefined
  }
}

function open(row: KeyColumns, kid: Kid, ring: readonly Kek[], cluster: string): Uint8Array {
  return deriveMacaroonKey(unseal(ring, { cluster, org: row.org, kid }, row.sealed_secret))
}
