/** Restores, as whole programs from their start to their end, beside litestream on the same archive where it is installed. */
import { execFile } from 'node:child_process'
import { closeSync, existsSync, fsyncSync, openSync, readSync, rmSync, statSync, writeSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { readManifest } from '../../shared/archive/manifest-store.ts'
import { openArchive } from '../../shared/archive/open-archive.ts'
import { rebuildDatabase } from '../../shared/archive/rebuild.ts'
import { planRestore } from '../../shared/archive/restore-plan.ts'
import { PAGE_BYTES } from '../../shared/limits.ts'
import { PageChecksums } from '../../shared/ltx/rolling-checksum.ts'
import { NODE_FLAGS } from '../../shared/service/node-flags.ts'
import { ArchivedDatabase } from './archive-fixture.ts'
import type { Plan } from './plan.ts'
import type { Row } from './report.ts'
import { median } from './statistics.ts'

const CLI = join(import.meta.dirname, '../../ops/cli.ts')
const { LITESTREAM = join(homedir(), '.cache/macaroond-interop/v0.5.16/litestream') } = process.env
const SECTION = 'restore'
const COPY_CHUNK_BYTES = 1024 * 1024

const run = promisify(execFile)

export async function measureRestore(folder: string, { restore }: Plan): Promise<Row[]> {
  const small = await ArchivedDatabase.create(join(folder, 'small'))
  await small.fill(25)
  await small.transactions(restore.transactions)
  const what = `25 MB and ${restore.transactions} transactions`
  const each = await measurePrograms(small, `${what}, a file each`, restore.rounds)
  await small.compact()
  const merged = await measurePrograms(small, `${what}, merged`, restore.rounds)
  small.close()
  const large = await ArchivedDatabase.create(join(folder, 'large'))
  await large.fill(restore.largeMegabytes)
  await large.transactions(10)
  const rows = await measureLarge(large, `${restore.largeMegabytes} MB`, restore.rounds)
  large.close()
  return [...each, ...merged, ...rows]
}

/** Both in turn, so that neither always finds what the other left in the caches. */
async function measurePrograms(own: ArchivedDatabase, what: string, rounds: number): Promise<Row[]> {
  const output = `${own.path}.restored`
  const key = Buffer.from(own.key.publicKey).toString('hex')
  const ours = [...NODE_FLAGS, CLI, 'restore', '--archive', own.archive, '--key', key, '--output', output]
  const theirs = ['restore', '-o', output, `file://${own.archive}`]
  const seconds = { ours: new Array<number>(), theirs: new Array<number>() }
  for (let round = 0; round < rounds; round += 1) {
    seconds.ours.push(await secondsOf(process.execPath, ours, output))
    if (existsSync(LITESTREAM)) seconds.theirs.push(await secondsOf(LITESTREAM, theirs, output))
  }
  const common = { section: SECTION, unit: 's' }
  const our = {
    ...common,
    name: `${what}: macaroond`,
    value: median(seconds.ours),
    target: { atMost: 1 },
    detail: list(seconds.ours),
  }
  if (seconds.theirs.length === 0) return [our]
  const their = { ...common, name: `${what}: litestream`, value: median(seconds.theirs), detail: list(seconds.theirs) }
  const value = our.value / their.value
  return [
    our,
    their,
    { section: SECTION, name: `${what}: share of litestream’s time`, unit: '', value, target: { atMost: 0.5 } },
  ]
}

async function secondsOf(program: string, args: readonly string[], output: string): Promise<number> {
  const startMs = performance.now()
  await run(program, [...args])
  const seconds = (performance.now() - startMs) / 1000
  for (const suffix of ['', '-wal', '-shm', '-txid']) rmSync(output + suffix, { force: true })
  return seconds
}

async function measureLarge(own: ArchivedDatabase, what: string, rounds: number): Promise<Row[]> {
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
    ...(await measurePrograms(own, what, Math.min(rounds, 3))).map(({ target: _, ...row }) => row),
  ]
}

/** From the signed manifest to a synced file whose checksum is known. */
async function rebuildSeconds({ path, archive, key }: ArchivedDatabase): Promise<number> {
  const output = `${path}.rebuilt`
  const startMs = performance.now()
  const storage = await openArchive(archive)
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
