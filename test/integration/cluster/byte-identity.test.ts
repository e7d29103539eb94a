/** The replica's file is the primary's, byte for byte, whatever goes on at both. */
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { Cluster, closedFile, until } from './harness.ts'

const LANES = 40
const WRITES_A_LANE = 30
const SMALL_WAL = { checkpoint: { pages: 100 } }

interface Reader {
  readonly process: ChildProcess
  readonly end: () => Promise<{ reads: number; torn: number; backwards: number; states: number; integrity: string }>
}

async function startReader(path: string): Promise<Reader> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'reader-child.ts'), path])
  onTestFinished(() => void child.kill())
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  await until(() => output.startsWith('reading\n'), 'the reader reads')
  const end: Reader['end'] = async () => {
    const closed = once(child, 'close')
    child.stdin.end()
    await closed
    return JSON.parse(output.slice('reading\n'.length)) as Awaited<ReturnType<Reader['end']>>
  }
  return { process: child, end }
}

function hasSqliteCli(): boolean {
  try {
    execFileSync('sqlite3', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Asks the `sqlite3` program again and again, each time a new process that opens and closes the database. */
async function askCli(path: string, ended: () => boolean): Promise<Set<string>> {
  const answers = new Set<string>()
  const sql = 'PRAGMA integrity_check; SELECT audit_seq = (SELECT max(seq) FROM audit) FROM meta;'
  while (!ended()) {
    const { stdout } = await promisify(execFile)('sqlite3', ['-cmd', '.timeout 2000', path, sql])
    answers.add(stdout.trim().replaceAll('\n', ' '))
    await delay(20)
  }
  return answers
}

test('replicas are byte-identical after concurrent writes with readers and checkpoints', async () => {
  const cluster = await Cluster.start({ regions: ['fra', 'sin'], primary: SMALL_WAL, replica: SMALL_WAL })
  const signer = await cluster.signer('operator', 20_000)
  await signer.createOrg('acme')
  await cluster.caughtUp('fra')
  await cluster.caughtUp('sin')
  const copies = [cluster.replicaFolder('fra'), cluster.replicaFolder('sin')].map((folder) =>
    join(folder, 'macaroond.db'),
  )
  const paths = [...copies, join(cluster.primaryFolder, 'macaroond.db')]
  const readers = await Promise.all(paths.map((path) => startReader(path)))
  let written = false
  const cli = hasSqliteCli() ? copies.map((path) => askCli(path, () => written)) : []

  const lane = async (index: number): Promise<void> => {
    for (let count = 0; count < WRITES_A_LANE; count += 1) {
      const minted = await signer.mint({ org: 'acme', subject: `${index} `.repeat(60).slice(0, 200).trim() })
      if (count % 5 === 0) await signer.revoke({ id: minted.id, wait: count % 10 === 0 ? 'durable' : 'local' })
      if (count % 25 === 0) await signer.createOrg(`org-${index}-${count}`)
    }
  }
  await Promise.all(Array.from({ length: LANES }, (_, index) => lane(index)))
  written = true
  for (const answers of await Promise.all(cli)) expect([...answers]).toEqual(['ok 1'])
  for (const reader of readers) {
    const seen = await reader.end()
    expect(seen).toMatchObject({ torn: 0, backwards: 0, integrity: 'ok' })
    expect(seen.states).toBeGreaterThan(5)
  }
  await cluster.caughtUp('fra')
  await cluster.caughtUp('sin')
  await cluster.stop()
  const primary = closedFile(cluster.primaryFolder)
  for (const region of ['fra', 'sin']) expect(closedFile(cluster.replicaFolder(region)).equals(primary)).toBe(true)
  for (const path of paths) expect(execFileSync('ls', [join(path, '..')], { encoding: 'utf8' })).not.toContain('-wal')
})
