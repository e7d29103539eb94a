/** A primary migrates a database of 0.1.0 at its first start if no witness has to confirm its disk, else after the confirmation. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { primaryConfig } from '../../../primary/config.ts'
import { Primary } from '../../../primary/node.ts'
import { createAuthorityDatabase } from '../../../primary/store/create-database.ts'
import { identityFromSeed } from '../../../shared/channel/identity.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { checkConfig } from '../../../shared/config/read-config.ts'
import { silentLog } from '../../../shared/log.ts'
import { kekFromHex } from '../../../shared/sealing.ts'
import { openReader, openWritable } from '../../../shared/sqlite/open-database.ts'
import { asSchema4 } from './schema-4.ts'

const KEK = kekFromHex('ab'.repeat(32))
const identity = await identityFromSeed(Buffer.alloc(32, 1))

/** Starts a primary on a database of schema 4, and stops it again. */
async function schemaAfterStart(settings: object): Promise<number | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-migrating-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const data = join(folder, 'primary')
  mkdirSync(data)
  const db = openWritable(join(data, 'macaroond.db'))
  createAuthorityDatabase(db, { cluster: 'test', kek: KEK, clock: systemClock, entropy: systemEntropy })
  asSchema4(db)
  db.close()
  const common = { cluster: 'test', data, identity: 'none', listen: '127.0.0.1:0', kek: { file: 'none' } }
  const config = checkConfig('primary.toml', { ...common, archive: { enabled: false }, ...settings }, primaryConfig)
  const primary = await Primary.start({ config, identity, kek: KEK, log: silentLog, reread: () => config })
  await primary.stop()
  const reader = openReader(join(data, 'macaroond.db'))
  const schema = reader.prepare<[], number>('SELECT schema FROM meta').pluck().get()
  reader.close()
  return schema
}

const peers = [{ id: identity.peerId, name: 'fra', role: 'replica' }]

test('a primary that waits for no witness migrates at its start', async () => {
  expect(await schemaAfterStart({})).toBe(5)
  expect(await schemaAfterStart({ peers, alone: true })).toBe(5)
})

test('a primary whose disk nobody has confirmed migrates nothing', async () => {
  expect(await schemaAfterStart({ peers })).toBe(4)
})
