/** Every secret of the database that is not sealed with a given key-encryption key. */
import { signingKeyContext } from '../../shared/database/signing-key.ts'
import { type Kid, kid as asKid } from '../../shared/ids.ts'
import { sealedWith } from '../../shared/sealing.ts'
import type { Connection } from '../../shared/sqlite/connection.ts'
import type { SealedSecret } from '../authority/kek.ts'
import { thirdPartyContext } from '../authority/third-party.ts'

export function readSealedSecrets(db: Connection, cluster: string, kekId: string): readonly SealedSecret[] {
  const all = [...rootKeys(db, cluster), ...signingKeys(db, cluster), ...thirdParties(db, cluster)]
  return all.filter(({ sealed }) => sealedWith(sealed) !== kekId)
}

function rootKeys(db: Connection, cluster: string): SealedSecret[] {
  const rows = db.prepare<[], { kid: Buffer; org: string; sealed: Buffer }>(
    'SELECT kid, org, sealed_secret AS sealed FROM root_keys',
  )
  return rows.all().map(({ kid: bytes, org, sealed }) => {
    const kid: Kid = asKid(bytes.toString('hex'))
    return { place: { table: 'root_keys', kid }, context: { cluster, org, kid }, sealed }
  })
}

function signingKeys(db: Connection, cluster: string): SealedSecret[] {
  const rows = db.prepare<[], { id: number; sealed: Buffer }>(
    'SELECT id, sealed_private_key AS sealed FROM signing_keys',
  )
  return rows.all().map(({ id, sealed }) => {
    return { place: { table: 'signing_keys', id }, context: signingKeyContext(cluster), sealed }
  })
}

function thirdParties(db: Connection, cluster: string): SealedSecret[] {
  const rows = db.prepare<[], { name: string; sealed: Buffer }>(
    'SELECT name, sealed_private_key AS sealed FROM third_parties',
  )
  return rows.all().map(({ name, sealed }) => {
    return { place: { table: 'third_parties', name }, context: thirdPartyContext(cluster, name), sealed }
  })
}
