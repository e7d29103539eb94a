/** The key that the archive of every run is signed with: that of the database that all of them begin with. */
import { copyFileSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { readSigningKey } from '../../../shared/database/signing-key.ts'
import { openReader } from '../../../shared/sqlite/open-database.ts'
import { CLUSTER, KEK } from '../nodes/members.ts'

const known = new Map<string, Uint8Array>()

/** `data`: an image, which other processes read as well. */
export function authorityKeyIn(data: string): Uint8Array {
  const before = known.get(data)
  if (before !== undefined) return before
  const copy = join(data, `../key-${process.pid}.db`)
  const database = join(data, 'macaroond.db')
  for (const suffix of ['', '-wal']) if (existsSync(database + suffix)) copyFileSync(database + suffix, copy + suffix)
  const db = openReader(copy)
  const { publicKey } = readSigningKey(db, [KEK], CLUSTER)
  db.close()
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${copy}${suffix}`, { force: true })
  known.set(data, publicKey)
  return publicKey
}
