/**
 * Reads the authority's Ed25519 key pair, which signs positions and the archive. The database has the private half sealed and
 * the public half in the clear.
 */
import { ed25519Private, type Ed25519PrivateKey, ed25519PublicKey } from '../crypto.ts'
import { MacaroondError } from '../errors.ts'
import { unseal, type Kek, type SealContext } from '../sealing.ts'
import type { Database } from '../sqlite/open-database.ts'

export interface SigningKey {
  readonly publicKey: Uint8Array
  readonly privateKey: Ed25519PrivateKey
}

export function signingKeyContext(cluster: string): SealContext {
  return { cluster, org: '', kid: 'signing key' }
}

/** Reads and unseals the newest key. Throws kek_wrong, database_corrupt. */
export function readSigningKey(db: Database, ring: readonly Kek[], cluster: string): SigningKey {
  const row = newest(db)
  const seed = unseal(ring, signingKeyContext(cluster), row.sealed_private_key)
  if (Buffer.compare(ed25519PublicKey(seed), row.public_key) !== 0) {
    throw new MacaroondError('database_corrupt', 'the private half of the signing key does not fit its public half', {
      hint: 'restore the database: no node would accept a signature of this one',
    })
  }
  return { publicKey: row.public_key, privateKey: ed25519Private(seed) }
}

/** Reads the public half of the newest key; needs no KEK. Throws database_corrupt. */
export function readPublicKey(db: Database): Uint8Array {
  return newest(db).public_key
}

/** A signing key as the database stores it. */
export interface StoredSigningKey {
  readonly id: number
  readonly sealed: Uint8Array
}

/** Returned oldest first; the last one signs. */
export function readSigningKeys(db: Database): readonly StoredSigningKey[] {
  const select = 'SELECT id, sealed_private_key AS sealed FROM signing_keys ORDER BY id'
  return db.prepare<[], StoredSigningKey>(select).all()
}

interface Columns {
  readonly public_key: Buffer
  readonly sealed_private_key: Buffer
}

function newest(db: Database): Columns {
  const row = db
    .prepare<[], Columns>('SELECT public_key, sealed_private_key FROM signing_keys ORDER BY id DESC LIMIT 1')
    .get()
  if (row === undefined) throw new MacaroondError('database_corrupt', 'the database has no signing key')
  return row
}
