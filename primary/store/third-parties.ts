/** Reads the services whose tickets this authority opens, and unseals their private keys. */
import { thirdPartyContext } from '../authority/kek.ts'
import { x25519PublicKey } from '../../shared/crypto.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { unseal, type Kek } from '../../shared/sealing.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'
import type { ThirdPartyKey } from '../authority/state.ts'

interface Columns {
  readonly name: string
  readonly public_key: Buffer
  readonly sealed_private_key: Buffer
  readonly unrevoked: number
  readonly created_ms: number
}

/** The registered services by name. A service whose key does not open is included, and has a fault. */
export function readThirdParties(db: Database, ring: readonly Kek[], cluster: string): Map<string, ThirdPartyKey> {
  const rows = db.prepare<[], Columns>('SELECT * FROM third_parties ORDER BY name').all()
  return new Map(rows.map((row) => [row.name, thirdPartyOf(row, ring, cluster)]))
}

function thirdPartyOf(row: Columns, ring: readonly Kek[], cluster: string): ThirdPartyKey {
  const { name, public_key: publicKey, created_ms: createdMs, sealed_private_key: sealed } = row
  const stored = { name, publicKey, sealed, unrevoked: row.unrevoked === 1, createdMs }
  return { ...stored, ...open(row, ring, cluster) }
}

/** A key that cannot be used becomes a fault of this service, so that the others still work. */
function open(row: Columns, ring: readonly Kek[], cluster: string): Pick<ThirdPartyKey, 'privateKey' | 'fault'> {
  const { name, public_key: publicKey, sealed_private_key: sealed } = row
  try {
    const privateKey = unseal(ring, thirdPartyContext(cluster, name), sealed)
    if (Buffer.compare(x25519PublicKey(privateKey), publicKey) === 0) return { privateKey }
    // Such a key would open tickets that were sealed to another public key.
    return { privateKey: undefined, fault: 'its private key does not fit its public key' }
  } catch (error) {
    if (error instanceof MacaroondError) return { privateKey: undefined, fault: error.message }
    throw error
  }
}
