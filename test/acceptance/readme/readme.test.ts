/** The README, followed by a stranger: each block as it stands, and its tables compared with the code. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { freePorts } from '../../../ops/cluster/ports.ts'
import { systemEntropy } from '../../../shared/clock.ts'
import { FRESHNESS_DEFAULTS, freshnessFault, revocationBoundMs } from '../../../shared/freshness/bound.ts'
import { LEASE_MS_MAX } from '../../../shared/limits.ts'
import { type Block, blocksOf, shellLines, typedCommands } from './blocks.ts'
import { masked } from './masked.ts'
import { ROOT, runSnippet } from './snippets.ts'
import { expectOutput, withMacaroond } from './typist.ts'

const README = readFileSync(join(ROOT, 'README.md'), 'utf8')
const blocks = new Map(blocksOf(README).map((block) => [block.name, block]))

const LINES_MAX = 150
const CELL_CHARS_MAX = 100
const PICTURE_COLUMNS_MAX = 80

function block(name: string): Block {
  const found = blocks.get(name)
  if (found === undefined) throw new Error(`the README has no block ${name}`)
  return found
}

/** The cells of the rows of all tables. */
function rows(): readonly (readonly string[])[] {
  const lines = README.split('\n').filter((line) => line.startsWith('|') && !/^[|\s:-]+$/.test(line))
  return lines.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

/** A dozen processes through npm, or a tour: seconds on a quiet machine, and more on one that others use. */
const SLOW_MS = 150_000

/** A background program of the README, in a process group of its own, as a terminal would have it. */
function startBackground(line: string): { readonly child: ChildProcess; readonly said: () => string } {
  const child = spawn('bash', ['-c', line], { cwd: ROOT, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (said += chunk.toString()))
  return { child, said: () => said }
}

async function interrupt(child: ChildProcess): Promise<number | null> {
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGINT')
  return ended
}

interface ScriptRun {
  readonly status: number | null
  readonly text: string
}

/** Runs a script in bash, and afterwards ends what it left in the background. */
function script(text: string, cwd: string, env: NodeJS.ProcessEnv = process.env): Promise<ScriptRun> {
  return new Promise((resolve) => {
    const whole = `trap 'kill $(jobs -p) 2> /dev/null; wait' EXIT\n${text}`
    const child = spawn('bash', ['-c', whole], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
    child.once('close', (status) => resolve({ status, text: said }))
  })
}

describe('the README', () => {
  let folder = ''
  let cluster: ReturnType<typeof startBackground> | undefined
  const here = (text: string): string =>
    text.replaceAll('./demo', join(folder, 'demo')).replaceAll(/(token|narrow)\.txt/g, (file) => join(folder, file))

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'macaroond-readme-'))
    cluster = startBackground(block('cluster').code.replace('./demo', join(folder, 'demo')))
    await vi.waitUntil(() => existsSync(join(folder, 'demo/cluster.json')), { timeout: 50_000, interval: 100 })
  })

  afterAll(async () => {
    if (cluster !== undefined) await interrupt(cluster.child)
    rmSync(folder, { recursive: true, force: true })
  })

  test('is short, and its tables fit a narrow page', () => {
    expect(README.trimEnd().split('\n').length).toBeLessThanOrEqual(LINES_MAX)
    expect(
      rows()
        .flat()
        .filter((cell) => cell.length > CELL_CHARS_MAX),
    ).toEqual([])
    expect(
      block('picture')
        .code.split('\n')
        .filter((line) => line.length > PICTURE_COLUMNS_MAX),
    ).toEqual([])
  })

  test('has no block that this suite does not run', () => {
    const names = ['picture', 'start', 'cluster', 'session', 'worker', 'production']
    expect([...blocks.keys()].toSorted()).toEqual(names.toSorted())
  })

  test('computes outage and bound of each lease as the code does', () => {
    const leases = rows().flatMap(([lease = '', outage, bound]) =>
      /^\d+\b/.test(lease) ? [{ lease_ms: parseInt(lease, 10), outage, bound }] : [],
    )
    expect(leases.map(({ lease_ms }) => lease_ms)).toContain(FRESHNESS_DEFAULTS.lease_ms)
    for (const { lease_ms, outage, bound } of leases) {
      const settings = { ...FRESHNESS_DEFAULTS, lease_ms }
      expect(freshnessFault(settings)).toBe(undefined)
      expect(lease_ms).toBeLessThanOrEqual(LEASE_MS_MAX)
      // The last lease may have been asked for just before the next ping was due.
      expect(outage).toBe(`${Math.floor((lease_ms - settings.ping_ms) / 100) / 10} s`)
      expect(bound).toBe(`${(revocationBoundMs(settings) / 1_000).toFixed(1)} s`)
    }
  })

  test('claims no more simulated clusters than there is evidence of', () => {
    const count = (text: string, pattern: RegExp): number => Number(pattern.exec(text)?.[1]?.replaceAll(',', ''))
    const simulated = count(readFileSync(join(ROOT, 'EVIDENCE.md'), 'utf8'), /([\d,]+) different seeds/)
    expect(count(README, /([\d,]+) simulated clusters/)).toBeLessThanOrEqual(simulated)
  })

  test(
    'names two commands to start with: CI runs the first, the second proves the tour’s steps',
    async () => {
      const lines = shellLines(block('start').code).map(({ line }) => line)
      expect(lines).toEqual(['npm ci', 'npm start'])
      expect(readFileSync(join(ROOT, '.ci/run'), 'utf8')).toContain('npm ci')
      const tour = startBackground('npm start')
      await expect.poll(tour.said, { timeout: SLOW_MS }).toMatch(/(\d+) of \1 steps passed[\s\S]*until Ctrl-C/)
      await interrupt(tour.child)
    },
    SLOW_MS,
  )

  test(
    'has a session that prints what it shows, in a shell with its alias',
    async () => {
      const commands = typedCommands(block('session').code)
      const out = (index: number): string => join(folder, `said-${index}`)
      const typed = commands.map(
        ({ line }, index) =>
          `{ ${here(line.replace(/ {2}#.*/, ''))}\n} > ${out(index)} 2>&1\necho $? >> "${folder}/statuses"`,
      )
      await script(`shopt -s expand_aliases\n${typed.join('\n')}`, ROOT)
      const statuses = readFileSync(join(folder, 'statuses'), 'utf8').trim().split('\n').map(Number)
      expect(statuses).toEqual(commands.map(({ status }) => status))
      for (const [index, { line, output }] of commands.entries())
        if (output !== '') expectOutput(readFileSync(out(index), 'utf8'), output, line)
    },
    SLOW_MS,
  )

  test(
    'has code for a service that runs as it stands',
    async () => {
      expect(await runSnippet(block('worker'), folder)).toBe('401 revoked\n')
    },
    SLOW_MS,
  )

  test(
    'makes a production cluster on one machine that verifies in two regions',
    async () => {
      const ports = await freePorts(3, systemEntropy)
      const code = block('production').code.replaceAll(
        /127\.0\.0\.1:740(\d)/g,
        (_, node) => `127.0.0.1:${ports[Number(node)]}`,
      )
      expect(shellLines(code).length).toBeLessThanOrEqual(10)
      const { MACAROOND_PROFILE: _, ...env } = process.env
      writeFileSync(join(folder, 'token.txt'), '')
      const ran = await script(`set -e\n${code}`, folder, { ...env, PATH: withMacaroond(folder) })
      expect(ran.status, ran.text).toBe(0)
      expect(ran.text).toContain('ALL 2 REGIONS ANSWER')
      for (const region of ['fra', 'sin'])
        expect(masked(ran.text)).toContain(`accepted: <id> for alice of acme\njudged in ${region} by`)
    },
    SLOW_MS,
  )
})
