/** A bucket between us and the real litestream, in both directions. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listSegmentFiles } from '../../../shared/archive/read-file.ts'
import { rebuildDatabase } from '../../../shared/archive/rebuild.ts'
import { planRestore } from '../../../shared/archive/restore-plan.ts'
import { sha256 } from '../../../shared/crypto.ts'
import { txidText } from '../../../shared/ids.ts'
import { openWritable } from '../../../shared/sqlite/open-database.ts'
import { Authority, scratch } from '../../recovery/archive/authority.ts'
import { goTool, LITESTREAM } from '../go-tool.ts'
import { KEYS, openBucket, startStore, type Store, urlOf } from './store.ts'

let store: Store
let program: string
/** Nothing else of this machine's environment: it heeds variables of AWS that do not concern this store. */
const litestream = (...args: readonly string[]): Promise<unknown> =>
  promisify(execFile)(program, [...args], { env: { PATH: process.env['PATH'], HOME: scratch(), ...KEYS } })

beforeAll(async () => {
  ;[store, program] = await Promise.all([startStore(), goTool(LITESTREAM)])
}, 600_000)
afterAll(() => store.stop())

const hashOf = (path: string): string => sha256(readFileSync(path)).toString('hex')

test('litestream restores the newest state, and each past one by its number, to the byte', async () => {
  const url = urlOf(store.address, 'ours')
  const authority = await Authority.create(undefined, openBucket(url))
  await authority.claim()
  for (let number = 0; number < 8; number += 1) {
    authority.grow(4)
    if (number % 3 === 0) await authority.upload()
    if (number === 5) await authority.snapshot()
  }
  await authority.upload()
  await authority.compact(1)
  const folder = scratch()
  const head = authority.recorded.at(-1)
  await litestream('restore', '-o', join(folder, 'head.db'), url)
  expect(hashOf(join(folder, 'head.db'))).toBe(head?.hash)
  for (const { txid, hash } of authority.recorded) {
    const output = join(folder, `${txid}.db`)
    await litestream('restore', '-txid', txidText(txid), '-o', output, url)
    expect(hashOf(output), `transaction ${txid}`).toBe(hash)
  }
})

test('and by its moment, which it finds in the metadata of the objects', async () => {
  const url = urlOf(store.address, 'moments')
  const authority = await Authority.create(undefined, openBucket(url))
  const grow = (): void => {
    authority.nowMs = Date.now() - 10
    authority.grow(2)
  }
  await authority.claim()
  await authority.upload()
  // It wants a moment between the first and the last upload, and a list has them by the second.
  await setTimeout(2_000)
  for (let number = 0; number < 4; number += 1) {
    grow()
    await setTimeout(5)
  }
  // Uploaded together, so nothing but the metadata tells them apart.
  await setTimeout(1_000)
  await authority.upload()
  await setTimeout(1_000)
  grow()
  await authority.upload()
  for (const { txid, atMs, hash } of authority.recorded.slice(1, -1)) {
    const output = join(authority.folder, `${txid}.restored`)
    // Strictly before, in its words.
    await litestream('restore', '-timestamp', new Date(atMs + 1).toISOString(), '-o', output, url)
    expect(hashOf(output), `at ${atMs}`).toBe(hash)
  }
})

test('also what was merged into one object a round, which is what a bucket gets by default', async () => {
  const url = urlOf(store.address, 'merged')
  const authority = await Authority.create(undefined, openBucket(url))
  await authority.claim()
  for (let round = 0; round < 3; round += 1) {
    for (let number = 0; number < 4; number += 1) authority.grow(2)
    await authority.upload(true)
  }
  expect(await openBucket(url).list('ltx/0/')).toHaveLength(3)
  const output = join(scratch(), 'head.db')
  await litestream('restore', '-o', output, url)
  expect(hashOf(output)).toBe(authority.recorded.at(-1)?.hash)
})

test('we restore every state that litestream put into a bucket, byte for byte as litestream does', async () => {
  const url = urlOf(store.address, 'theirs')
  const folder = scratch()
  const database = join(folder, 'app.db')
  const db = openWritable(database)
  db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, data BLOB)')
  const write = db.prepare('INSERT INTO t (data) VALUES (randomblob(3000))')
  for (let round = 0; round < 4; round += 1) {
    for (let number = 0; number < 10; number += 1) write.run()
    await litestream('replicate', '-once', database, url)
  }
  db.close()
  const storage = openBucket(url)
  const files = await listSegmentFiles(storage)
  const states = [...new Set(files.map(({ maxTxid }) => maxTxid))]
  expect(states.length).toBeGreaterThan(2)
  for (const txid of states) {
    const [ours, theirs] = [join(folder, `${txid}.ours`), join(folder, `${txid}.theirs`)]
    const plan = planRestore(files, { kind: 'txid', txid }, Number.MAX_SAFE_INTEGER)
    await rebuildDatabase({ storage, files: plan.files, path: ours })
    await litestream('restore', '-txid', txidText(txid), '-o', theirs, url)
    expect(hashOf(ours), `transaction ${txid}`).toBe(hashOf(theirs))
  }
})
