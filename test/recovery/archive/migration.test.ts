/** An upgrade in an archive: what was archived before the migration is restored as it was, and the next start migrates it. */
import { cpSync, mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { NO_FLAGS } from '../../../primary/options.ts'
import { primaryConfig } from '../../../primary/config.ts'
import { Primary } from '../../../primary/node.ts'
import { DirectoryStorage } from '../../../shared/archive/directory.ts'
import { drill } from '../../../primary/archiver/drill/drill.ts'
import { readManifest } from '../../../shared/archive/read-chain.ts'
import { identityFromSeed } from '../../../shared/channel/identity.ts'
import { checkConfig } from '../../../shared/config/read-config.ts'
import { silentLog } from '../../../shared/log.ts'
import { decodeSegment } from '../../../shared/ltx/decoder.ts'
import { openReader } from '../../../shared/sqlite/open-database.ts'
import { commandLine } from '../../integration/cli/command.ts'
import { Authority, CLUSTER, RING, scratch } from './authority.ts'

const TOKEN = (number: number): string => number.toString(16).padStart(48, '0')

interface Upgraded {
  readonly authority: Authority
  /** The newest transaction of schema 4. */
  readonly before: number
  /** The primary's data folder as it was then. */
  readonly oldDisk: string
}

/** One token is revoked before the migration and one after it; everything is archived. */
async function upgraded(): Promise<Upgraded> {
  const authority = await Authority.ofSchema4()
  await authority.claim()
  authority.grow(3)
  authority.revoke(TOKEN(1))
  await authority.upload()
  const oldDisk = join(scratch(), 'primary')
  cpSync(authority.folder, oldDisk, { recursive: true })
  const before = authority.source.head.txid
  authority.migrate()
  authority.revoke(TOKEN(2))
  await authority.upload()
  return { authority, before, oldDisk }
}

async function restore({ authority }: Upgraded, ...args: readonly string[]): Promise<string> {
  const output = join(scratch(), 'restored.db')
  const key = Buffer.from(authority.key.publicKey).toString('hex')
  const source = ['--archive', authority.archive, '--key', key, '--output', output]
  const { status, stdout, stderr } = await commandLine(['restore', ...source, '--accept-head', '--json', ...args])
  expect(status, `${stdout} ${stderr}`).toBe(0)
  return output
}

/** Read from a copy in a folder of its own, because whoever opens a database leaves a WAL beside it. */
function ask<T>(database: string, sql: string): readonly T[] {
  const copy = join(scratch(), 'copy.db')
  cpSync(database, copy)
  const db = openReader(copy)
  try {
    return db.prepare<[], T>(sql).pluck().all()
  } finally {
    db.close()
  }
}

const schemaOf = (database: string): unknown => ask(database, 'SELECT schema FROM meta')
const revoked = (database: string): unknown => ask(database, 'SELECT lower(hex(key)) FROM revocations ORDER BY seq')

/** Starts a primary on it, stops it again, and returns its database. */
async function startedOn(data: string): Promise<string> {
  const settings = {
    cluster: CLUSTER,
    data,
    identity: 'none',
    listen: '127.0.0.1:0',
    alone: true,
    kek: { file: 'none' },
  }
  const config = checkConfig('primary.toml', { ...settings, archive: { enabled: false } }, primaryConfig)
  const [kek] = RING
  if (kek === undefined) throw new Error('no key')
  const identity = await identityFromSeed(Buffer.alloc(32, 1))
  // The restored clock is years behind this one.
  const flags = { ...NO_FLAGS, acceptClock: true }
  const primary = await Primary.start({ config, identity, kek, log: silentLog, flags, reread: () => config })
  const { writes } = primary
  await primary.stop()
  expect(writes).toBe('open')
  return join(data, 'macaroond.db')
}

test('a database restored to before the migration has schema 4, and its first start migrates it', async () => {
  const own = await upgraded()
  const output = await restore(own, '--txid', String(own.before))
  expect(schemaOf(output)).toEqual([4])
  expect(revoked(output)).toEqual([TOKEN(1), TOKEN(2)])

  const data = join(scratch(), 'primary')
  mkdirSync(data)
  renameSync(output, join(data, 'macaroond.db'))
  const database = await startedOn(data)
  expect(schemaOf(database)).toEqual([5])
  const actions = ask<string>(database, 'SELECT action FROM audit ORDER BY seq')
  expect(actions.slice(-2)).toEqual(['database.restore', 'database.migrate'])
})

test('a crashed database of schema 4 is recovered from its log, and migrated', async () => {
  const { oldDisk } = await upgraded()
  const database = await startedOn(oldDisk)
  expect([schemaOf(database), revoked(database)]).toEqual([[5], [TOKEN(1)]])
})

test('a disk of before the migration is evidence for a restore, and so is one of after it', async () => {
  const own = await upgraded()
  const newest = await restore(own, '--old-data', own.oldDisk)
  expect([schemaOf(newest), revoked(newest)]).toEqual([[5], [TOKEN(1), TOKEN(2)]])
  const newDisk = join(scratch(), 'primary')
  cpSync(own.authority.folder, newDisk, { recursive: true })
  const oldest = await restore(own, '--txid', '2', '--old-data', newDisk)
  expect([schemaOf(oldest), revoked(oldest)]).toEqual([[4], [TOKEN(1), TOKEN(2)]])
})

test('a drill restores every transaction before, of and after the migration', async () => {
  const { authority, before } = await upgraded()
  const storage = await DirectoryStorage.open(authority.archive)
  const files = [...(await readManifest(storage, authority.key.publicKey)).files.values()]
  const path = join(scratch(), 'drill.db')
  const drilled = new Set<number>()
  for (let draw = 0; draw < 1; draw += 0.05) {
    const common = { storage, files, cluster: CLUSTER, ring: RING, path, nowMs: authority.nowMs }
    drilled.add((await drill({ ...common, draw })).txid)
  }
  expect([...drilled]).toEqual(expect.arrayContaining([before, before + 1, before + 2]))
})

test('the migration is one small segment, however many rows there are', async () => {
  const pages = await Promise.all(
    [0, 20_000].map(async (rows) => {
      const authority = await Authority.ofSchema4()
      authority.write(
        `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
         INSERT INTO issued (kid, nonce, subject, expires_at) SELECT randomblob(8), randomblob(16), 'alice', i FROM n`,
      )
      authority.migrate()
      const segment = authority.source.segment(authority.source.head.txid)
      return segment === undefined ? undefined : decodeSegment(segment).pages.length
    }),
  )
  expect(pages[0]).toBeLessThan(20)
  expect(pages[1]).toBe(pages[0])
})
