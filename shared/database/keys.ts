/** Reads orgs and root keys, and unseals the keys. Primary and replicas do this alike. */
import type { Statement } from 'better-sqlite3'
import { deriveMacaroonKey } from '../crypto.ts'
import { MacaroondError } from '../errors.ts'
import { kid as asKid, type Kid } from '../ids.ts'
import { unseal, type Kek } from '../sealing.ts'
import type { Database } from '../sqlite/open-database.ts'

export interface OrgRecord {
  readonly name: string
  readonly state: 'active' | 'disabled'
  readonly createdMs: number
}

/** A root key as it is stored. */
export interface StoredKey {
  readonly kid: Kid
  readonly org: string
  readonly orgState: 'active' | 'disabled'
  readonly generation: number
  readonly state: 'active' | 'retired'
  readonly createdMs: number
  readonly sealed: Uint8Array
}

export interface KeyRecord extends StoredKey {
  /** The root key after libmacaroons' derivation, 32 bytes; memory only. */
  readonly derivedKey: Uint8Array
}

export interface UnopenedKey extends StoredKey {
  /** kek_wrong */
  readonly error: MacaroondError
}

export interface KeysRead {
  readonly keys: readonly KeyRecord[]
  /** Those of `keys` that are in use because they were opened before: sealed as they are now, the ring does not open them. */
  readonly stale: readonly UnopenedKey[]
  /** The ring opens none of these, and nobody has opened them before. */
  readonly unopened: readonly UnopenedKey[]
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

export function readOrgs(db: Database): OrgRecord[] {
  return db.prepare<[], OrgRecord>('SELECT name, state, created_ms AS createdMs FROM orgs ORDER BY name').all()
}

interface OpenedKey {
  readonly sealed: Uint8Array
  readonly derivedKey: Uint8Array
}

/** What was unsealed, by kid. The secret of a kid never changes, so it stays good when it is sealed anew or the file is replaced. */
export type OpenedKeys = Map<Kid, OpenedKey>

/** Keeps what it has unsealed: a change of one key does not open all the others again. */
export class KeyReader {
  readonly #select: Statement<[], KeyColumns>
  readonly #opened: OpenedKeys

  constructor(db: Database, opened: OpenedKeys = new Map()) {
    this.#opened = opened
    this.#select = db.prepare<[], KeyColumns>(
      `SELECT kid, org, orgs.state AS org_state, generation, root_keys.state, root_keys.created_ms, sealed_secret
       FROM root_keys JOIN orgs ON orgs.name = root_keys.org ORDER BY org, generation`,
    )
  }

  read(ring: readonly Kek[], cluster: string): KeysRead {
    const keys: KeyRecord[] = []
    const stale: UnopenedKey[] = []
    const unopened: UnopenedKey[] = []
    for (const stored of this.#select.all().map(storedKey)) {
      const { derivedKey, error } = this.#open(stored, ring, cluster)
      if (derivedKey !== undefined) keys.push({ ...stored, derivedKey })
      if (error !== undefined) (derivedKey === undefined ? unopened : stale).push({ ...stored, error })
    }
    this.#forget(new Set(keys.map(({ kid }) => kid)))
    return { keys, stale, unopened }
  }

  #open(stored: StoredKey, ring: readonly Kek[], cluster: string): Opening {
    const { kid, org, sealed } = stored
    const before = this.#opened.get(kid)
    if (before !== undefined && Buffer.compare(before.sealed, sealed) === 0) return { derivedKey: before.derivedKey }
    try {
      const derivedKey = deriveMacaroonKey(unseal(ring, { cluster, org, kid }, sealed))
      this.#opened.set(kid, { sealed, derivedKey })
      return { derivedKey }
    } catch (error) {
      if (!(error instanceof MacaroondError)) throw error
      return { derivedKey: before?.derivedKey, error }
    }
  }

  #forget(present: ReadonlySet<Kid>): void {
    for (const kid of this.#opened.keys()) if (!present.has(kid)) this.#opened.delete(kid)
  }
}

interface Opening {
  readonly derivedKey: Uint8Array | undefined
  readonly error?: MacaroondError
}

function storedKey(row: KeyColumns): StoredKey {
  const { org, generation, state } = row
  const kid = asKid(row.kid.toString('hex'))
  return {
    kid,
    org,
    generation,
    state,
    orgState: row.org_state,
    createdMs: row.created_ms,
    sealed: row.sealed_secret,
  }
}
