/** Reads the services whose tickets this authority opens, and unseals their keys. */
import { thirdPartyContext } from '../authority/third-party.ts'
import { unseal, type Kek } from '../../shared/sealing.ts'
import type { Connection } from '../../shared/sqlite/connection.ts'
import type { ThirdPartyKey } from '../authority/state.ts'

interface Columns {
  readonly name: string
  readonly public_key: Buffer
  readonly sealed_private_key: Buffer
  readonly unrevoked: number
  readonly created_ms: number
}

/** Throws kek_wrong. */
export function readThirdParties(db: Connection, ring: readonly Kek[], cluster: string): Map<string, ThirdPartyKey> {
  const rows = db.prepare<[], Columns>('SELECT * FROM third_parties ORDER BY name').all()
  return new Map(rows.map((row) => [row.name, open(row, ring, cluster)]))
}

function open(row: Columns, ring: readonly Kek[], cluster: string): ThirdPartyKey {
  const privateKey = unseal(ring, thirdPartyContext(cluster, row.name), row.sealed_private_key)
  const { name, public_key: publicKey, created_ms: createdMs } = row
  return { name, publicKey, privateKey, unrevoked: row.unrevoked === 1, createdMs }
}
