/** The command line as a user meets it: a process of its own, from its arguments to its exit status. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { PublishedCluster } from '../../../ops/cluster/published.ts'
import { run } from '../../../ops/command-line.ts'
import { capture } from '../../ops/streams.ts'

export const PROGRAM: string = fileURLToPath(new URL('../../../ops/cli.ts', import.meta.url))

export interface Ran {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
  /** What stdout holds, where it is JSON. */
  readonly json: <T = Record<string, unknown>>() => T
}

export interface RunOptions {
  readonly stdin?: string
  readonly profile?: string
}

/** The environment of this test run, with nothing in it that would lead a command to another cluster. */
function environment(profile: string | undefined): NodeJS.ProcessEnv {
  const { MACAROOND_PROFILE: _, ...env } = process.env
  return profile === undefined ? env : { ...env, MACAROOND_PROFILE: profile }
}

export function macaroond(args: readonly string[], { stdin = '', profile }: RunOptions = {}): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { env: environment(profile), timeout: 40_000 }
    const child = execFile(process.execPath, [PROGRAM, ...args], options, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ status, stdout, stderr, json: <T>() => JSON.parse(stdout) as T })
    })
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(stdin)
  })
}

/** The same, within the process of this test: what it reads and prints is real, only its start is saved. */
export async function commandLine(args: readonly string[], { stdin = '', profile }: RunOptions = {}): Promise<Ran> {
  const streams = capture({ stdin, env: environment(profile) })
  const status = await run(args, streams)
  await setImmediate()
  const [stdout, stderr] = [streams.out(), streams.err()]
  return { status, stdout, stderr, json: <T>() => JSON.parse(stdout) as T }
}

export interface Dev {
  readonly process: ChildProcess
  readonly cluster: PublishedCluster
  /** Resolves with the exit status or the signal. */
  readonly ended: Promise<number | string>
  readonly stderr: () => string
}

/** Starts `macaroond dev`, and waits for its cluster.json. Throws with what dev said when it ends before. */
export async function startDev(folder: string, args: readonly string[] = []): Promise<Dev> {
  const child = spawn(process.execPath, [PROGRAM, 'dev', '--dir', folder, ...args], { env: environment(undefined) })
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.stdout.resume()
  const ended = new Promise<number | string>((resolve) => {
    child.once('exit', (status, signal) => resolve(status ?? signal ?? ''))
  })
  const file = join(folder, 'cluster.json')
  while (!existsSync(file)) {
    const gone = await Promise.race([ended, setTimeout(50, undefined)])
    if (gone !== undefined) throw new Error(`dev ended with ${gone}: ${stderr}`)
  }
  const cluster = JSON.parse(readFileSync(file, 'utf8')) as PublishedCluster
  return { process: child, cluster, ended, stderr: () => stderr }
}

export function pidsOf({ primary, replicas }: PublishedCluster): readonly number[] {
  return [primary.pid, ...replicas.map(({ pid }) => pid)]
}

/** A process that has ended but was not waited for is gone as well: nothing runs any more. */
export function runs(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** Waits for a condition; how long does not matter, the test's own time limit ends it. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setTimeout(20)
}
