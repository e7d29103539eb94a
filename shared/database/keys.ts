/**
 * Reads orgs and root keys, and unseals the keys, on primary and replicas. A key that the KEKs do not open is reported, not
 * thrown, so that the other keys stay in use.
 */
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

/** A root key as the database stores it, sealed. */
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
  /** The root key after libmacaroons' derivation, 32 bytes. It never leaves memory. */
  readonly derivedKey: Uint8Array
}

export interface UnopenedKey extends StoredKey {
  /** The error of `unseal`: kek_wrong. */
  readonly error: MacaroondError
}

export interface KeysRead {
  readonly keys: readonly KeyRecord[]
  /** Keys of `keys` whose present sealing the ring does not open. They stay in use because an earlier sealing was opened. */
  readonly stale: readonly UnopenedKey[]
  /** Keys that the ring does not open and that were never opened before. */
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

/**
 * Unsealed keys by kid. The secret of a kid never changes, so an entry stays valid when the key is resealed or the file
 * replaced.
 */
export type OpenedKeys = Map<Kid, OpenedKey>

/** Reads all keys, and keeps the unsealed ones, so that a change of one key does not unseal the others again. */
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
