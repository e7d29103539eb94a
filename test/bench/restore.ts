/**
 * Restores, as whole programs from their start to their end, ours as it is published, beside litestream on the same archive
 * where it is installed. Processor time as well: on a machine that does other work it is the better measure.
 */
import { execFile } from 'node:child_process'
import { closeSync, existsSync, fsyncSync, openSync, readSync, rmSync, statSync, writeSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { readManifest } from '../../shared/archive/read-chain.ts'
import { openArchive } from '../../shared/archive/open-archive.ts'
import { rebuildDatabase } from '../../shared/archive/rebuild.ts'
import { planRestore } from '../../shared/archive/restore-plan.ts'
import { PAGE_BYTES } from '../../shared/limits.ts'
import { PageChecksums } from '../../shared/ltx/rolling-checksum.ts'
import { ArchivedDatabase } from './archive-fixture.ts'
import type { Plan } from './plan.ts'
import { publish } from './publish.ts'
import type { Row } from './report.ts'
import { median } from './statistics.ts'

const { LITESTREAM = join(homedir(), '.cache/macaroond-interop/v0.5.16/litestream') } = process.env
const SECTION = 'restore'
const COPY_CHUNK_BYTES = 1024 * 1024

const run = promisify(execFile)

export async function measureRestore(folder: string, { restore }: Plan): Promise<Row[]> {
  const program = join(await publish(join(folder, 'build')), '../../ops/cli.js')
  const small = await ArchivedDatabase.create(join(folder, 'small'))
  await small.fill(25)
  await small.transactions(restore.transactions)
  const what = `25 MB and ${restore.transactions} transactions`
  const each = await measurePrograms(program, small, `${what}, a file each`, restore.rounds)
  await small.compact()
  const merged = await measurePrograms(program, small, `${what}, merged`, restore.rounds)
  small.close()
  const large = await ArchivedDatabase.create(join(folder, 'large'))
  await large.fill(restore.largeMegabytes)
  await large.transactions(10)
  const rows = await measureLarge(program, large, `${restore.largeMegabytes} MB`, restore.rounds)
  large.close()
  return [...each, ...merged, ...rows]
}

/** Both in turn, so that neither always finds what the other left in the caches. */
async function measurePrograms(program: string, own: ArchivedDatabase, what: string, rounds: number): Promise<Row[]> {
  const output = `${own.path}.restored`
  const key = Buffer.from(own.key.publicKey).toString('hex')
  const ours = [program, 'restore', '--archive', own.archive, '--key', key, '--accept-head', '--output', output]
  const theirs = ['restore', '-o', output, `file://${own.archive}`]
  const taken = { ours: new Array<Taken>(), theirs: new Array<Taken>() }
  for (let round = 0; round < rounds; round += 1) {
    taken.ours.push(await take(process.execPath, ours, output))
    if (existsSync(LITESTREAM)) taken.theirs.push(await take(LITESTREAM, theirs, output))
  }
  const our = [
    ...rowsOf(`${what}: macaroond`, taken.ours, { target: { atMost: 1 } }),
    ...shares(what, taken.ours, taken.theirs),
  ]
  return taken.theirs.length === 0 ? our : [...rowsOf(`${what}: litestream`, taken.theirs, {}), ...our]
}

/** Of one run of a program, in seconds. */
interface Taken {
  readonly wall: number
  readonly cpu: number
}

function rowsOf(name: string, taken: readonly Taken[], aim: Pick<Row, 'target'>): Row[] {
  const [walls, cpus] = [taken.map(({ wall }) => wall), taken.map(({ cpu }) => cpu)]
  const common = { section: SECTION, unit: 's' }
  return [
    { ...common, name, value: median(walls), detail: list(walls), ...aim },
    { ...common, name: `${name}, processor time`, value: median(cpus), detail: list(cpus) },
  ]
}

function shares(what: string, ours: readonly Taken[], theirs: readonly Taken[]): Row[] {
  if (theirs.length === 0) return []
  const share = (of: (taken: Taken) => number): number => median(ours.map(of)) / median(theirs.map(of))
  const common = { section: SECTION, unit: '', target: { atMost: 0.5 } }
  return [
    { ...common, name: `${what}: share of litestream’s time`, value: share(({ wall }) => wall) },
    { ...common, name: `${what}: share of its processor time`, value: share(({ cpu }) => cpu) },
  ]
}

/** The shell says what processor time the program took, in a last line on stderr. */
async function take(program: string, args: readonly string[], output: string): Promise<Taken> {
  const startMs = performance.now()
  const { stderr } = await run('bash', ['-c', 'TIMEFORMAT="%U %S"; time "$@"', 'time', program, ...args])
  const wall = (performance.now() - startMs) / 1000
  for (const suffix of ['', '-wal', '-shm', '-txid']) rmSync(output + suffix, { force: true })
  const [user = NaN, system = NaN] = stderr.trimEnd().split('\n').at(-1)?.split(' ').map(Number) ?? []
  return { wall, cpu: user + system }
}

async function measureLarge(program: string, own: ArchivedDatabase, what: string, rounds: number): Promise<Row[]> {
  const rebuilt: number[] = []
  const copied: number[] = []
  for (let round = 0; round < Math.min(rounds, 3); round += 1) {
    rebuilt.push(await rebuildSeconds(own))
    copied.push(copySeconds(own.path))
  }
  const [rebuild, copy] = [median(rebuilt), median(copied)]
  const common = { section: SECTION, unit: 's' }
  return [
    { ...common, name: `${what}: rebuilt and checked`, value: rebuild, detail: list(rebuilt) },
    { ...common, name: `${what}: copied and checksummed`, value: copy, detail: list(copied) },
    { section: SECTION, name: `${what}: times a copy`, unit: '', value: rebuild / copy, target: { atMost: 1.3 } },
    ...(await measurePrograms(program, own, what, Math.min(rounds, 3))).map(({ target: _, ...row }) => row),
  ]
}

/** From the signed manifest to a synced file whose checksum is known. */
async function rebuildSeconds({ path, archive, key }: ArchivedDatabase): Promise<number> {
  const output = `${path}.rebuilt`
  const startMs = performance.now()
  const storage = await openArchive(archive, { blocking: true })
  const { files } = await readManifest(storage, key.publicKey)
  const plan = planRestore([...files.values()], { kind: 'head' }, Number.MAX_SAFE_INTEGER)
  const { checksum } = await rebuildDatabase({ storage, files: plan.files, path: output })
  if (checksum !== plan.last.postApply) throw new Error('the rebuilt database is another one')
  const seconds = (performance.now() - startMs) / 1000
  rmSync(output)
  return seconds
}

function copySeconds(path: string): number {
  const output = `${path}.copied`
  const startMs = performance.now()
  const [from, to] = [openSync(path, 'r'), openSync(output, 'w')]
  const checksums = new PageChecksums(PAGE_BYTES)
  const chunk = Buffer.alloc(COPY_CHUNK_BYTES)
  for (let at = 0, { size } = statSync(path); at < size; at += COPY_CHUNK_BYTES) {
    const read = readSync(from, chunk, 0, COPY_CHUNK_BYTES, at)
    for (let page = 0; page < read; page += PAGE_BYTES)
      checksums.set((at + page) / PAGE_BYTES + 1, chunk.subarray(page, page + PAGE_BYTES))
    writeSync(to, chunk, 0, read, at)
  }
  fsyncSync(to)
  closeSync(to)
  closeSync(from)
  const seconds = (performance.now() - startMs) / 1000
  rmSync(output)
  return seconds
}

function list(seconds: readonly number[]): string {
  return seconds.map((one) => one.toFixed(2)).join(' ')
}
