/** One process a data folder, also where the lock belongs to another user: SQLite opens such a file read-only and says nothing. */
import { chownSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { MacaroondError } from '../../../shared/errors.ts'
import { holdForCopy, lockFolder } from '../../../shared/sqlite/node-lock.ts'
import { Cluster } from '../../chaos/cluster.ts'
import { scratch } from './harness.ts'

const READY_MS = 20_000
/** nobody */
const OTHER = { uid: 65_534, gid: 65_534 }
/** Only root can start processes as somebody else. */
const IS_ROOT = process.getuid?.() === 0

function give(path: string): void {
  chownSync(path, OTHER.uid, OTHER.gid)
  for (const { name, parentPath } of readdirSync(path, { recursive: true, withFileTypes: true }))
    chownSync(join(parentPath, name), OTHER.uid, OTHER.gid)
}

function refusal(lock: typeof lockFolder, folder: string): string {
  try {
    lock(folder).release()
    return 'none'
  } catch (error) {
    return error instanceof MacaroondError ? error.code : String(error)
  }
}

test.runIf(IS_ROOT)('a node that may not write its lock does not start: SQLite would lock nothing', async () => {
  const cluster = await Cluster.create({ replicas: [] })
  onTestFinished(() => cluster.remove(false))
  const { data } = cluster.primary
  mkdirSync(data)
  give(cluster.root)
  const lock = join(data, 'node.lock')
  writeFileSync(lock, '', { mode: 0o644 })
  const refused = cluster.start(cluster.primary, { as: OTHER })
  expect(await refused.ready(READY_MS)).toBe(false)
  expect(refused.log.join('\n')).toContain(`${lock} cannot be locked: this user may not write it`)

  rmSync(lock)
  expect(await cluster.start(cluster.primary, { as: OTHER }).ready(READY_MS)).toBe(true)
})

test('a copy checks if the folder is held, writes nothing there, and keeps nodes out meanwhile', async () => {
  const folder = scratch()
  lockFolder(folder).release()
  const [first, second] = [holdForCopy(folder), holdForCopy(folder)]
  expect(refusal(lockFolder, folder)).toBe('already_running')
  for (const hold of [first, second]) hold.release()
  const lock = lockFolder(folder)
  expect(refusal(holdForCopy, folder)).toBe('already_running')
  expect(refusal(lockFolder, folder)).toBe('already_running')
  lock.release()
  expect(readdirSync(folder)).toEqual(['node.lock'])
})
