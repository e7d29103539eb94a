/** `npm run coverage`: runs the unit tests and seeds of the simulator, and records which lines of the cores they reached. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { filesOf, REASONS, ROOMS } from './cores.ts'
import { type CoreCoverage, type IstanbulFile, type Joint, jointCoverage, type V8Script } from './coverage.ts'
import { commitAndDate } from './file.ts'
import { COVERAGE, isLow, ROOT } from './gathered.ts'

/** Those that reach cores: tests of sockets and files take long, and reach none that these do not. */
const TESTS = [
  'shared/freshness/',
  'shared/macaroon/',
  'shared/holder/',
  'shared/verifier/',
  'shared/ltx/',
  'shared/protocol/',
  'shared/archive/plans',
  'shared/archive/rebuild',
  ...['backoff', 'framing', 'json', 'pulse', 'roles', 'protocol-version'].map((name) => `shared/channel/${name}`),
  'primary/',
  'replica/',
]
const NOTHING: IstanbulFile = { statementMap: {}, s: {}, branchMap: {}, b: {} }
const SEEDS = 100
const PROCESSES = 2

async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<void> {
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const [status] = (await once(child, 'close')) as [number | null]
  if (status !== 0) process.stdout.write(`not all of it went well (status ${status}): ${args.slice(0, 4).join(' ')}\n`)
}

async function testedBy(folder: string): Promise<Readonly<Record<string, IstanbulFile>>> {
  const include = Object.values(ROOMS)
    .flat()
    .map((pattern) => `--coverage.include=${pattern}`)
  await run([
    join(ROOT, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--project',
    'unit',
    `--maxWorkers=${PROCESSES}`,
    // Counting makes properties slow; what a test that failed has reached is reached.
    '--testTimeout=120000',
    '--coverage.reportOnFailure',
    ...TESTS.map((room) => `test/${room}`),
    '--coverage',
    `--coverage.reportsDirectory=${folder}`,
    ...include,
  ])
  return JSON.parse(readFileSync(join(folder, 'coverage-final.json'), 'utf8')) as Record<string, IstanbulFile>
}

async function simulatedBy(folder: string): Promise<readonly V8Script[]> {
  const seeds = ['--seeds', `${SEEDS}`, '--processes', `${PROCESSES}`]
  const simulator = ['--import', './test/simulator/disk/interpose.ts', 'test/simulator/main.ts']
  await run([...simulator, ...seeds], { NODE_V8_COVERAGE: folder })
  return readdirSync(folder).flatMap((name) => {
    const { result } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { result: readonly V8Script[] }
    return result
  })
}

function joint(file: string, tested: Readonly<Record<string, IstanbulFile>>, scripts: readonly V8Script[]): Joint {
  const path = join(ROOT, file)
  // A module of types alone has nothing to reach, and is written down as such: a new core must not be passed over.
  const map = tested[path] ?? NOTHING
  const { href } = pathToFileURL(path)
  const own = scripts.filter(({ url }) => url === href)
  return jointCoverage(file, readFileSync(path, 'utf8'), map, own)
}

function lineOf({ coverage: { file, lines, branches }, missed }: Joint): string {
  const share = ([covered, total]: readonly [number, number]): string =>
    `${total === 0 ? 100 : Math.floor((covered * 100) / total)} %`.padStart(6)
  const left =
    missed.lines.length + missed.branches.length === 0
      ? ''
      : `  lines ${missed.lines.join(' ')}, branches ${missed.branches.join(' ')}`
  return `${file.padEnd(48)} lines ${share(lines)}, branches ${share(branches)}${left}`
}

const folder = mkdtempSync(join(tmpdir(), 'macaroond-coverage-'))
try {
  const run = commitAndDate()
  const tested = await testedBy(join(folder, 'tested'))
  const scripts = await simulatedBy(join(folder, 'simulated'))
  const all = Object.values(ROOMS).flatMap((patterns) => filesOf(patterns).map((file) => joint(file, tested, scripts)))
  for (const one of all) process.stdout.write(`${lineOf(one)}\n`)
  const coverage: CoreCoverage = { ...run, seeds: SEEDS, files: all.map((one) => one.coverage) }
  writeFileSync(COVERAGE, `${JSON.stringify(coverage)}\n`.replaceAll('{"file"', '\n{"file"'))
  const unexplained = coverage.files.filter((file) => isLow(file) && REASONS[file.file] === undefined)
  for (const { file } of unexplained) process.stdout.write(`below 95 % and no reason is given: ${file}\n`)
  process.exitCode = unexplained.length > 0 ? 1 : 0
} finally {
  rmSync(folder, { recursive: true, force: true })
}
