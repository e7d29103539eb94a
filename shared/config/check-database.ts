/**
 * Compares a configuration with the database in its data folder: the cluster, the schema, and the key-encryption key. A start
 * finds the same, but only after it has locked the folder.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { KeyReader } from '../database/keys.ts'
import { checkMeta, isOfMacaroond, MetaReader } from '../database/meta.ts'
import { readSigningKey } from '../database/signing-key.ts'
import { readSigningKeyFile } from '../database/signing-key-file.ts'
import { MacaroondError } from '../errors.ts'
import { sqliteError } from '../files/storage-errors.ts'
import { thisUser } from '../files/trusted-file.ts'
import type { Kek } from '../sealing.ts'
import { isFolderLocked } from '../sqlite/node-lock.ts'
import { openReader } from '../sqlite/open-database.ts'
import { type CheckTarget, errorAsFinding, type Finding } from './finding.ts'

/**
 * `ring` is undefined if a key-encryption key could not be loaded here; the keys are then not compared. Nothing is read while a
 * node runs on the folder: its start has compared the same.
 */
export async function databaseFindings(
  { config }: CheckTarget,
  ring: readonly Kek[] | undefined,
): Promise<readonly Finding[]> {
  const { data, cluster, signing_key: signingKey } = config
  if (data === undefined || cluster === undefined) return []
  const path = join(data, 'macaroond.db')
  const stats = statSync(path, { throwIfNoEntry: false })
  // The primary creates its database in an empty file, too, and then imports the signing key.
  if (stats === undefined || stats.size === 0) {
    if (signingKey === undefined || ring === undefined) return []
    return errorAsFinding(() => readSigningKeyFile(signingKey, cluster, ring))
  }
  // SQLite would create files of this user beside a database of another.
  if (stats.uid !== thisUser().uid) return [ofOtherUser(path, stats.uid)]
  if (isFolderLocked(data)) return []
  const warnings: Finding[] = []
  const errors = await errorAsFinding(() => warnings.push(...examine(path, config.region, cluster, ring)))
  return [...errors, ...warnings]
}

/** Throws the errors of a start: database_corrupt, wrong_cluster, schema_newer, schema_older, kek_wrong. */
function examine(
  path: string,
  region: string | undefined,
  cluster: string,
  ring: readonly Kek[] | undefined,
): readonly Finding[] {
  const db = openReader(path)
  try {
    if (!isOfMacaroond(db)) throw new MacaroondError('database_corrupt', `${path} is no database of macaroond`)
    checkMeta(new MetaReader(db).read(), cluster, path)
    if (ring === undefined) return []
    // Only a primary signs. Its database has a signing key from the first transaction, before it has a root key.
    if (region === undefined) readSigningKey(db, ring, cluster)
    const { keys, unopened } = new KeyReader(db).read(ring, cluster)
    const [first] = unopened
    if (first === undefined) return []
    // A replica starts with the keys that it can open.
    if (region === undefined || keys.length === 0) throw first.error
    const reason = `${unopened.length} of ${keys.length + unopened.length} root keys do not open: ${first.error.message}`
    return [
      { severity: 'warning', code: 'keys_unopened', reason, action: first.error.hint ?? 'add the KEK to `previous`' },
    ]
  } catch (error) {
    throw sqliteError(error, `reading ${path}`)
  } finally {
    db.close()
  }
}

function ofOtherUser(path: string, uid: number): Finding {
  const reason = `${path} belongs to uid ${uid}, so it is not compared with the configuration`
  return { severity: 'warning', code: 'other_user', reason, action: `run this as that user: sudo -u '#${uid}' …` }
}
