import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { primaryConfig } from '../../../primary/config.ts'
import { replicaConfig } from '../../../replica/config.ts'
import { readConfig } from '../../../shared/config/read-config.ts'
import { blocksOf, shellLines } from './blocks.ts'

const root = join(import.meta.dirname, '../../..')
const blocks = new Map(blocksOf(readFileSync(join(root, 'README.md'), 'utf8')).map((block) => [block.name, block]))
const run = promisify(execFile)

const ENTRIES = {
  'macaroond/worker': 'replica/worker/sdk.ts',
  'macaroond/signer': 'primary/signer/sdk.ts',
  macaroond: 'shared/library.ts',
} as const

function code(name: string): string {
  const block = blocks.get(name)
  if (block === undefined) throw new Error(`the README has no block ${name}`)
  return block.code
}

/** A background program of the README, in a process group of its own, as a terminal would have it. */
function startBackground(line: string): { readonly child: ChildProcess; readonly said: () => string } {
  const child = spawn('bash', ['-c', line], { cwd: root, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (said += chunk.toString()))
  return { child, said: () => said }
}

async function interrupt(child: ChildProcess): Promise<number | null> {
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGINT')
  return ended
}

describe('the README', () => {
  let folder = ''
  let cluster: ReturnType<typeof startBackground> | undefined

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'macaroond-readme-'))
    cluster = startBackground(code('cluster').replace('./demo', join(folder, 'demo')))
    await vi.waitUntil(() => existsSync(join(folder, 'demo/cluster.json')), { timeout: 50_000, interval: 100 })
  })

  afterAll(async () => {
    if (cluster !== undefined) await interrupt(cluster.child)
    rmSync(folder, { recursive: true, force: true })
  })

  test('has no block that this suite does not run', () => {
    const files = ['primary.toml', 'archive.toml', 'replica.toml']
    const names = ['start', 'cluster', 'session', 'worker', 'signer', 'holder', 'init', ...files]
    expect([...blocks.keys()].toSorted()).toEqual(names.toSorted())
  })

  test('names two commands to start with: CI runs the first, the second proves the tour’s steps', async () => {
    const lines = shellLines(code('start')).map(({ line }) => line)
    expect(lines).toEqual(['npm ci', 'npm start'])
    expect(readFileSync(join(root, '.ci/run'), 'utf8')).toContain('npm ci')
    const tour = startBackground('npm start')
    await expect.poll(tour.said, { timeout: 55_000 }).toMatch(/(\d+) of \1 steps passed[\s\S]*until Ctrl-C/)
    await interrupt(tour.child)
  })

  test('makes a cluster whose configurations can be started', async () => {
    const dir = join(folder, 'prod')
    const script = code('init')
      .replaceAll('macaroond ', `"${process.execPath}" ops/cli.ts `)
      .replaceAll('--dir prod', `--dir ${dir}`)
    await run('bash', ['-ec', script], { cwd: root })
    expect(readConfig(join(dir, 'primary/primary.toml'), primaryConfig).cluster).toBe('prod')
    expect(readConfig(join(dir, 'fra/replica.toml'), replicaConfig).primary.address).toBe('db1.example.com:7400')
    expect(existsSync(join(dir, 'workers/batch/worker.toml'))).toBe(true)
  })

  test('has a session whose every line ends as it says', async () => {
    const here = (text: string): string =>
      text.replaceAll('./demo', join(folder, 'demo')).replaceAll(/(token|narrow)\.txt/g, (file) => join(folder, file))
    const lines = shellLines(code('session'))
    const script = lines.map(({ line }) => `${here(line)}\necho "@status $?" >&3`).join('\n')
    const path = join(folder, 'session.sh')
    writeFileSync(path, `shopt -s expand_aliases\nexec 3>"${join(folder, 'statuses')}"\n${script}\n`)
    const { stdout } = await run('bash', [path], { cwd: root })
    const statuses = [...readFileSync(join(folder, 'statuses'), 'utf8').matchAll(/@status (\d+)/g)].map((m) =>
      Number(m[1]),
    )
    expect(statuses.map((status, index) => ({ ...lines[index], status }))).toEqual(lines)
    expect(stdout).toContain('op = read')
    expect(stdout).toContain('laptop stolen')
  })

  test.for([
    ['worker', /^401: revoked Bearer error="invalid_token"/],
    ['signer', /seq: \d+[\s\S]*durability: 'replica'/],
    ['holder', /^mcn1_/],
  ] as const)('has code for a %s that runs as it stands', async ([name, expected]) => {
    let source = code(name)
    for (const [entry, file] of Object.entries(ENTRIES)) {
      source = source.replace(`from '${entry}'`, `from '${pathToFileURL(join(root, file)).href}'`)
    }
    writeFileSync(join(folder, `${name}.ts`), source)
    const { stdout } = await run(process.execPath, [join(folder, `${name}.ts`)], { cwd: folder })
    expect(stdout).toMatch(expected)
  })

  test('has configuration files that are valid', () => {
    const primary = `${code('primary.toml')}\n${code('archive.toml')}`
    for (const [name, text, schema] of [
      ['primary.toml', primary, primaryConfig],
      ['replica.toml', code('replica.toml'), replicaConfig],
    ] as const) {
      writeFileSync(join(folder, name), text)
      expect(readConfig<object>(join(folder, name), schema)).toHaveProperty('cluster', 'prod')
    }
  })
})
