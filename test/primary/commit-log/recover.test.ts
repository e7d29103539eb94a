import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MacaroondError } from '../../../shared/errors.ts'
import { positionText } from '../../../shared/position.ts'
import { CommitLog, type CommitLogOptions } from '../../../primary/commit-log/commit-log.ts'
import { logOptions } from './log-options.ts'

let root = ''
const open: CommitLog[] = []

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'recover-'))
})
afterEach(() => {
  for (const log of open.splice(0)) log.close()
  rmSync(root, { recursive: true, force: true })
})

function openIn(folder: string, events: Partial<CommitLogOptions> = {}): CommitLog {
  mkdirSync(folder, { recursive: true })
  const log = new CommitLog({ ...logOptions(folder), ...events })
  log.connect(() => undefined)
  open.push(log)
  return log
}

function commit(log: CommitLog, note: string): void {
  log.db.exec(
    `BEGIN; UPDATE meta SET txid = txid + 1; INSERT INTO audit VALUES (NULL, 0, '${note}', '', '', '', '', x''); COMMIT`,
  )
  log.captureCommit(Date.now())
}

/** A copy as a crash leaves it: `cp` is another process, so no lock of this one is dropped. */
function crashCopy(name: string): string {
  execFileSync('cp', ['-r', join(root, 'live'), join(root, name)])
  rmSync(join(root, name, 'macaroond.db-shm'), { force: true })
  return join(root, name)
}

function cutLog(folder: string, bytes: number): void {
  const [file] = readdirSync(join(folder, 'log')).filter((name) => name.endsWith('.segments'))
  const path = join(folder, 'log', file ?? '')
  truncateSync(path, statSync(path).size - bytes)
}

describe('after a crash the primary', () => {
  test('captures from the WAL what the log does not have, with the same checksums', () => {
    const live = openIn(join(root, 'live'))
    for (let index = 0; index < 5; index += 1) commit(live, `row ${index}`)
    const folder = crashCopy('crashed')
    cutLog(folder, 10)

    const recovered = openIn(folder)
    expect(positionText(recovered.head)).toBe(positionText(live.head))
    expect(recovered.log.last).toBe(6)
    for (const txid of [2, 3, 4, 5, 6] as const) {
      expect(recovered.checksumAt(txid as never)).toBe(live.checksumAt(txid as never))
    }
  })

  test('goes on where log and database end together, and its positions go on with it', () => {
    const live = openIn(join(root, 'live'))
    commit(live, 'before')
    const recovered = openIn(crashCopy('crashed'))
    commit(recovered, 'after')
    commit(live, 'after')
    expect(positionText(recovered.head)).toBe(positionText(live.head))
  })

  test('leaves out what SQLite had not committed, while another program keeps the database open', () => {
    const live = openIn(join(root, 'live'))
    for (let index = 0; index < 3; index += 1) commit(live, `row ${index}`)
    const head = positionText(live.head)
    const folder = crashCopy('crashed')
    // Its wal-index is made now, and stays for as long as it is open: SQLite does not look into the WAL again.
    const program = new Sqlite(join(folder, 'macaroond.db'), { readonly: true })
    program.exec('BEGIN')
    expect(program.prepare('SELECT txid FROM meta').pluck().get()).toBe(4)
    // Killed between the frames of a commit and the header of the wal-index.
    commit(live, 'half')
    execFileSync('cp', [join(root, 'live', 'macaroond.db-wal'), join(folder, 'macaroond.db-wal')])

    const recovered = openIn(folder)
    expect(positionText(recovered.head)).toBe(head)
    commit(recovered, 'other')
    commit(recovered, 'and another')
    program.close()
    recovered.close()
    open.splice(open.indexOf(recovered), 1)
    const again = openIn(folder)
    expect(positionText(again.head)).toBe(positionText(recovered.head))
  })

  test('sets the log aside when another program took the WAL with transactions never logged', () => {
    const live = openIn(join(root, 'live'))
    for (let index = 0; index < 5; index += 1) commit(live, `row ${index}`)
    const folder = crashCopy('crashed')
    cutLog(folder, 10)
    const closing = `const { openWritable } = await import(${JSON.stringify(join(import.meta.dirname, '../../../shared/sqlite/open-database.ts'))}); const db = openWritable(process.argv[1]); db.prepare('SELECT * FROM meta').all(); db.close()`
    execFileSync(process.execPath, ['--input-type=module', '--eval', closing, join(folder, 'macaroond.db')])

    const gaps: unknown[] = []
    const recovered = openIn(folder, { onGap: (gap) => gaps.push(gap) })
    expect(gaps).toEqual([{ logged: 5, movedTo: expect.stringContaining('aside-') }])
    expect(positionText(recovered.head)).toBe(positionText(live.head))
    expect(recovered.checksumAt(5 as never)).toBeUndefined()
    commit(recovered, 'after')
    expect(recovered.log).toMatchObject({ first: 7, last: 7 })
  })

  test('refuses to start on a database that is older than its own log', () => {
    const live = openIn(join(root, 'live'))
    commit(live, 'before')
    const folder = crashCopy('old')
    commit(live, 'after')
    rmSync(join(folder, 'log'), { recursive: true })
    execFileSync('cp', ['-r', join(root, 'live', 'log'), join(folder, 'log')])
    expect(() => openIn(folder)).toThrow(expect.objectContaining({ code: 'position_diverged' }) as MacaroondError)
  })
})
