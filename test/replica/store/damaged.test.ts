import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { finishMovingAside, lastMovedAside, moveAside } from '../../../replica/store/damaged.ts'
import { DATABASE_FILES, DATABASE_NAME } from '../../../replica/store/open-copy.ts'

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'macaroond-damaged-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  for (const name of DATABASE_FILES) writeFileSync(join(path, name), name)
  return path
}

test('a damaged database is moved aside with its WAL and wal-index', () => {
  const data = folder()
  const aside = moveAside(data, DATABASE_FILES, 1)
  expect(readdirSync(aside).toSorted()).toEqual(DATABASE_FILES.toSorted())
  expect(readFileSync(join(aside, DATABASE_NAME), 'utf8')).toBe(DATABASE_NAME)
  expect(readdirSync(data)).toEqual(['damaged-1-1'])
})

/** Runs `moveAside` in a process that is killed at its n-th rename. */
function killedAt(data: string, rename: number): void {
  const script = `
    import fs from 'node:fs'
    import { syncBuiltinESMExports } from 'node:module'
    const { renameSync } = fs
    let left = ${rename}
    fs.renameSync = (from, to) => ((left -= 1) < 0 ? process.kill(process.pid, 'SIGKILL') : renameSync(from, to))
    syncBuiltinESMExports()
    const { moveAside } = await import(${JSON.stringify(join(import.meta.dirname, '../../../replica/store/damaged.ts'))})
    moveAside(${JSON.stringify(data)}, ${JSON.stringify(DATABASE_FILES)}, 1)`
  expect(() => execFileSync(process.execPath, ['--input-type=module', '-e', script], { stdio: 'ignore' })).toThrow(
    'Command failed',
  )
}

test.each([1, 2])('a kill at rename %i leaves no database without its WAL, and the next start can replace it', (at) => {
  const data = folder()
  killedAt(data, at)
  expect(existsSync(join(data, DATABASE_NAME))).toBe(false)
  finishMovingAside(data, DATABASE_FILES, 2)
  expect(readdirSync(data)).toEqual(['damaged-1-1'])
  // With its WAL: what it refused last may be in there alone.
  expect(readdirSync(join(data, 'damaged-1-1')).toSorted()).toEqual(DATABASE_FILES.toSorted())
  expect(lastMovedAside(data, DATABASE_NAME)).toBe(join(data, 'damaged-1-1', DATABASE_NAME))
})

test('a database that is in its place is left alone, and so is a folder that has none', () => {
  const data = folder()
  finishMovingAside(data, DATABASE_FILES, 2)
  expect(readdirSync(data).toSorted()).toEqual(DATABASE_FILES.toSorted())
  for (const name of DATABASE_FILES) rmSync(join(data, name))
  finishMovingAside(data, DATABASE_FILES, 2)
  expect(readdirSync(data)).toEqual([])
})

test('leftovers of a removed database neither join nor hide another one', () => {
  const data = folder()
  moveAside(data, DATABASE_FILES, 1)
  const [, wal = ''] = DATABASE_FILES
  writeFileSync(join(data, wal), 'of another')
  finishMovingAside(data, DATABASE_FILES, 2)
  expect(readdirSync(join(data, 'damaged-2-2'))).toEqual([wal])
  expect(readFileSync(join(data, 'damaged-1-1', wal), 'utf8')).toBe(wal)
  expect(lastMovedAside(data, DATABASE_NAME)).toBe(join(data, 'damaged-1-1', DATABASE_NAME))
})

test('after a clock was set back, the folder that was made last is kept and read', () => {
  const data = folder()
  const newest = [3_000, 4_000, 1_000, 2_000].map((nowMs) => {
    const aside = moveAside(data, DATABASE_FILES, nowMs)
    writeFileSync(join(data, DATABASE_NAME), `made at ${nowMs}`)
    return aside
  })
  const [first = '', , , last = ''] = newest
  expect(readdirSync(data).filter((name) => name.startsWith('damaged-'))).toEqual(
    [first, last].map((path) => basename(path)),
  )
  expect(lastMovedAside(data, DATABASE_NAME)).toBe(join(last, DATABASE_NAME))
})

test('folders of earlier versions, which are named by the time alone, come before new ones', () => {
  const data = folder()
  mkdirSync(join(data, 'damaged-1900000000000'))
  writeFileSync(join(data, 'damaged-1900000000000', DATABASE_NAME), 'older')
  const aside = moveAside(data, DATABASE_FILES, 1)
  expect(lastMovedAside(data, DATABASE_NAME)).toBe(join(aside, DATABASE_NAME))
})
