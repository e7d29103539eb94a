/**
 * The archive and litestream read each other, to the byte: the real litestream, and a directory between us.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { arch } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { listSegmentFiles } from '../../shared/archive/read-file.ts'
import { openArchive } from '../../shared/archive/open-archive.ts'
import { planRestore } from '../../shared/archive/restore-plan.ts'
import { rebuildDatabase } from '../../shared/archive/rebuild.ts'
import { sha256 } from '../../shared/crypto.ts'
import { txidText, type Txid } from '../../shared/ids.ts'
import { openWritable } from '../../shared/sqlite/open-database.ts'
import { Authority, scratch } from '../recovery/archive/authority.ts'
import { commandLine } from '../integration/cli/command.ts'
import { CACHE, goTool, LITESTREAM } from './go-tool.ts'

/** 80 MB, so it is no dependency of the project. */
const VFS_PACKAGE = 'litestream-vfs@0.5.17'
const VFS = join(CACHE, VFS_PACKAGE)

const run = promisify(execFile)
let program: string
const litestream = (...args: readonly string[]): Promise<unknown> => run(program, [...args])

beforeAll(async () => {
  if (existsSync(join(VFS, 'node_modules'))) return
  mkdirSync(VFS, { recursive: true })
  await run('npm', ['install', '--prefix', VFS, '--no-save', '--no-package-lock', '--ignore-scripts', VFS_PACKAGE])
}, 300_000)

beforeAll(async () => {
  program = await goTool(LITESTREAM)
}, 600_000)

function hashOf(path: string): string {
  return sha256(readFileSync(path)).toString('hex')
}

async function history(): Promise<Authority> {
  const authority = await Authority.create()
  await authority.claim()
  for (let number = 0; number < 12; number += 1) {
    if (number % 5 === 4) authority.shrink()
    else authority.grow(4)
    if (number % 3 === 0) await authority.upload()
    if (number % 4 === 3) await authority.compact(1)
    if (number === 7) await authority.snapshot()
  }
  await authority.upload()
  await authority.compact(1)
  await authority.compact(2)
  return authority
}

describe('litestream restores from an archive of ours', () => {
  test('the newest state, and each past one by its number and by its moment, to the byte', async () => {
    const authority = await history()
    const folder = scratch()
    const url = `file://${authority.archive}`
    const head = authority.recorded.at(-1)
    await litestream('restore', '-o', join(folder, 'head.db'), url)
    expect(hashOf(join(folder, 'head.db'))).toBe(head?.hash)
    for (const { txid, atMs, hash } of authority.recorded) {
      const byNumber = join(folder, `${txid}.db`)
      await litestream('restore', '-txid', txidText(txid), '-o', byNumber, url)
      expect(hashOf(byNumber), `transaction ${txid}`).toBe(hash)
      if (txid === head?.txid) continue
      // Strictly before, in its words.
      const byMoment = join(folder, `${txid}-at.db`)
      await litestream('restore', '-timestamp', new Date(atMs + 1).toISOString(), '-o', byMoment, url)
      expect(hashOf(byMoment), `at ${atMs}`).toBe(hash)
    }
  })

  test('also where files were merged before they were archived, as for a bucket', async () => {
    const authority = await Authority.create()
    await authority.claim()
    for (let round = 0; round < 3; round += 1) {
      for (let number = 0; number < 4; number += 1) authority.grow(2)
      await authority.upload(true)
    }
    const output = join(scratch(), 'head.db')
    await litestream('restore', '-o', output, `file://${authority.archive}`)
    expect(hashOf(output)).toBe(authority.recorded.at(-1)?.hash)
  })
})

describe('litestream’s own VFS reads an archive of ours', () => {
  /** The sqlite3 program, because better-sqlite3 takes no VFS by name. One answer a line. */
  async function ask(archive: string, ...lines: readonly string[]): Promise<readonly string[]> {
    const library = join(
      VFS,
      'node_modules',
      `litestream-vfs-linux-${arch() === 'arm64' ? 'arm64' : 'amd64'}`,
      'litestream-vfs',
    )
    const script = join(scratch(), 'script')
    writeFileSync(script, [`.load ${library}`, ".open 'file:any.db?vfs=litestream'", ...lines, ''].join('\n'))
    const env = { ...process.env, LITESTREAM_REPLICA_URL: `file://${archive}` }
    const { stdout } = await run('sqlite3', ['-bail', ':memory:', `.read ${script}`], { env })
    return stdout.trim().split('\n')
  }

  test('at the head and at past moments, with the same content and no damage', async () => {
    const authority = await history()
    const [count, sum] = ['SELECT count(*) FROM issued', 'SELECT total(length(subject) * seq) FROM issued']
    const head = authority.recorded.at(-1)!
    const shown = await ask(
      authority.archive,
      'PRAGMA litestream_txid;',
      'PRAGMA integrity_check;',
      `${count};`,
      `${sum};`,
    )
    expect(shown).toEqual([txidText(head.txid), 'ok', ...(await contentOf(authority, head.txid, count, sum))])
    for (const { txid, atMs } of [authority.recorded[4]!, authority.recorded[8]!]) {
      // Strictly before, in its words.
      const moment = `PRAGMA litestream_time = '${new Date(atMs + 1).toISOString()}';`
      const then = await ask(authority.archive, moment, 'PRAGMA integrity_check;', `${count};`, `${sum};`)
      expect(then.slice(-3), `transaction ${txid}`).toEqual(['ok', ...(await contentOf(authority, txid, count, sum))])
    }
  })

  async function contentOf(
    authority: Authority,
    txid: Txid,
    ...questions: readonly string[]
  ): Promise<readonly string[]> {
    await authority.restored({ kind: 'txid', txid })
    const { stdout } = await run('sqlite3', [join(authority.folder, 'restored.db'), ...questions])
    return stdout.trim().split('\n')
  }
})

describe('we restore from an archive that litestream wrote', () => {
  /** A database of nobody we know, with a sync of litestream after every few transactions. */
  async function foreign(): Promise<{ readonly archive: string; readonly folder: string }> {
    const folder = scratch()
    const [database, archive] = [join(folder, 'app.db'), join(folder, 'archive')]
    const db = openWritable(database)
    db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, data BLOB)')
    for (let round = 0; round < 5; round += 1) {
      const write = db.prepare('INSERT INTO t (data) VALUES (randomblob(3000))')
      for (let number = 0; number < 20; number += 1) write.run()
      if (round === 3) db.exec('DELETE FROM t WHERE id % 2 = 0; VACUUM')
      await litestream('replicate', '-once', database, `file://${archive}`)
    }
    db.close()
    return { archive, folder }
  }

  test('every state that it has, with the same bytes as litestream itself', async () => {
    const { archive, folder } = await foreign()
    const storage = await openArchive(archive)
    const files = await listSegmentFiles(storage)
    const states = [...new Set(files.map(({ maxTxid }) => maxTxid))]
    expect(states.length).toBeGreaterThan(3)
    for (const txid of states) {
      const [ours, theirs] = [join(folder, `${txid}.ours`), join(folder, `${txid}.theirs`)]
      const plan = planRestore(files, { kind: 'txid', txid }, Number.MAX_SAFE_INTEGER)
      await rebuildDatabase({ storage, files: plan.files, path: ours })
      await litestream('restore', '-txid', txidText(txid), '-o', theirs, `file://${archive}`)
      expect(hashOf(ours), `transaction ${txid}`).toBe(hashOf(theirs))
    }
  })

  test('from the command line, only where the operator says that no manifest is needed', async () => {
    const { archive, folder } = await foreign()
    const output = join(folder, 'restored.db')
    const key = '00'.repeat(32)
    const refused = await commandLine(['restore', '--archive', archive, '--key', key, '--output', output, '--json'])
    expect(refused.status).toBe(1)
    expect(refused.json()).toMatchObject({ error: { code: 'archive_unsigned' } })
    const done = await commandLine(['restore', '--archive', archive, '--unsigned', '--output', output, '--json'])
    expect(done.status, done.stdout).toBe(0)
    expect(done.json()).toMatchObject({ begun: null, file: output })
    await litestream('restore', '-o', join(folder, 'theirs.db'), `file://${archive}`)
    expect(hashOf(output)).toBe(hashOf(join(folder, 'theirs.db')))
  })
})
