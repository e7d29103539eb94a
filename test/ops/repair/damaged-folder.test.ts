import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { DamagedFolder } from '../../../ops/repair/damaged-folder.ts'
import { lockFolder } from '../../../shared/sqlite/node-lock.ts'
import { scratchDirectory } from '../../shared/sqlite/scratch.ts'

test('no node starts beside an interrupted repair, and the next one moves everything back', () => {
  const data = scratchDirectory()
  const aside = join(data, 'required-damaged-20260101T000000Z')
  mkdirSync(aside)
  for (const path of [join(data, 'macaroond.db'), join(aside, 'macaroond.db-wal')]) writeFileSync(path, path)
  expect(() => lockFolder(data)).toThrow(expect.objectContaining({ code: 'repair_unfinished' }))
  const folder = DamagedFolder.open(data)
  expect(folder.finished).toBeUndefined()
  folder.close()
  expect(readdirSync(data).toSorted()).toEqual(['macaroond.db', 'macaroond.db-wal', 'node.lock'])
  lockFolder(data).release()
})

test('a database that was gone is gone again after an interrupted repair', () => {
  const data = scratchDirectory()
  const aside = join(data, 'required-damaged-20260101T000000Z')
  mkdirSync(aside)
  writeFileSync(join(aside, 'macaroond.db'), '')
  DamagedFolder.open(data).close()
  expect(readdirSync(data)).toEqual(['node.lock'])
})

test('a repair keeps the replaced files whole, and a running node keeps the repair out', () => {
  const data = scratchDirectory()
  const names = ['macaroond.db', 'macaroond.db-wal', 'macaroond.db-shm', 'audit-checked.json']
  for (const name of names) writeFileSync(join(data, name), name)
  const running = lockFolder(data)
  expect(() => DamagedFolder.open(data)).toThrow(expect.objectContaining({ code: 'already_running' }))
  running.release()
  const folder = DamagedFolder.open(data)
  writeFileSync(join(data, 'new.db'), 'new')
  const aside = folder.replace(join(data, 'new.db'), Date.UTC(2026, 0, 1))
  folder.close()
  expect(readFileSync(join(data, 'macaroond.db'), 'utf8')).toBe('new')
  expect(names.map((name) => readFileSync(join(aside, name), 'utf8'))).toEqual(names)
  lockFolder(data).release()
})
