import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createAuthorityDatabase } from '../../../primary/store/create-database.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { databaseFindings } from '../../../shared/config/check-database.ts'
import { kekFromHex } from '../../../shared/sealing.ts'
import { lockFolder } from '../../../shared/sqlite/node-lock.ts'
import { openWritable } from '../../../shared/sqlite/open-database.ts'

const folder = mkdtempSync(join(tmpdir(), 'macaroond-database-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const [KEK, OTHER] = [kekFromHex('a1'.repeat(32)), kekFromHex('b2'.repeat(32))]

/** The data folder of a primary that has started once and stopped. */
function dataFolder(name: string): string {
  const data = join(folder, name)
  mkdirSync(data, { mode: 0o700 })
  const db = openWritable(join(data, 'macaroond.db'))
  createAuthorityDatabase(db, { cluster: 'test', kek: KEK, clock: systemClock, entropy: systemEntropy })
  db.close()
  return data
}

const codesOf = async (data: string, cluster: string, ring: Parameters<typeof databaseFindings>[1]): Promise<unknown> =>
  (await databaseFindings({ file: join(folder, 'primary.toml'), config: { data, cluster } }, ring)).map(
    ({ severity, code }) => `${severity} ${code}`,
  )

test('a database is compared with the cluster and the KEK, before its first root key too', async () => {
  const data = dataFolder('data')
  expect(await codesOf(data, 'test', [KEK])).toEqual([])
  expect(await codesOf(data, 'test', [OTHER, KEK])).toEqual([])
  expect(await codesOf(data, 'test', [OTHER])).toEqual(['error kek_wrong'])
  expect(await codesOf(data, 'another', [KEK])).toEqual(['error wrong_cluster'])
  expect(await codesOf(data, 'test', undefined)).toEqual([])
})

test('a file that is no database of macaroond is named; a missing or an empty one is not', async () => {
  const data = join(folder, 'odd')
  mkdirSync(data, { mode: 0o700 })
  expect(await codesOf(data, 'test', [KEK])).toEqual([])
  writeFileSync(join(data, 'macaroond.db'), '')
  expect(await codesOf(data, 'test', [KEK])).toEqual([])
  writeFileSync(join(data, 'macaroond.db'), 'x'.repeat(9_000))
  expect(await codesOf(data, 'test', [KEK])).toEqual(['error database_corrupt'])
})

test('nothing is read while a process holds the folder', async () => {
  const data = dataFolder('held')
  const lock = lockFolder(data)
  expect(await codesOf(data, 'another', [OTHER])).toEqual([])
  lock.release()
  expect(await codesOf(data, 'another', [OTHER])).toEqual(['error wrong_cluster'])
})
