/**
 * strace on one thread of a node. All asynchronous file calls, and so all of the archiver's in a directory, are made by the
 * pool of threads; with a pool of one they have one order, and the n-th of a kind is the same one in every life.
 *
 * Calls are counted by name. SIGKILL comes on entering the call: what it would have done is not done.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { NodeStart } from '../node-process.ts'

export type Thread = 'pool' | 'main'

export interface ThreadTarget {
  readonly thread: Thread
  readonly syscall: string
  /** Counted from 1. */
  readonly nth: number
}

/** One line of a trace: the call, and the paths of what it works on. */
export interface TracedCall {
  readonly syscall: string
  readonly text: string
}

/** What every node that is traced is started with. */
export const TRACED: Pick<NodeStart, 'imports' | 'env'> = {
  imports: [join(import.meta.dirname, 'traced-child.ts')],
  env: { UV_THREADPOOL_SIZE: '1' },
}

/** What happens at a call: by default it ends the process, else it fails, and those that follow with it where it is `onwards`. */
export interface ThreadHarm extends ThreadTarget {
  readonly error?: { readonly errno: string; readonly onwards: boolean } | undefined
}

export interface ThreadTrace {
  /** As it stands now. */
  readonly calls: () => readonly TracedCall[]
  /** The whole trace, after the process has ended. */
  readonly whole: () => Promise<readonly TracedCall[]>
  /** From now on every call does what it should, and nothing is noted. */
  readonly heal: () => void
}

export interface TraceOptions {
  readonly pid: number
  readonly thread: Thread
  readonly syscalls: readonly string[]
  /** Only calls on these; none for all. */
  readonly files: readonly string[]
  /** Without it, calls are only noted. */
  readonly harm?: ThreadHarm | undefined
  readonly output: string
}

const POOL_THREAD = 'libuv-worker'
const ATTACH_ATTEMPTS = 1_000

/** Resolves once strace runs: the node waits for it. */
export async function traceThread(options: TraceOptions): Promise<ThreadTrace> {
  const { pid, thread, syscalls, files, harm, output } = options
  rmSync(output, { force: true })
  const tid = thread === 'main' ? String(pid) : await poolThread(pid)
  const only = files.flatMap((file) => ['-P', file])
  const inject = harm === undefined ? [] : ['-e', injection(harm)]
  const filters = [...only, '-e', `trace=${syscalls.join(',')}`, ...inject]
  const strace = spawn('strace', ['-qq', '-y', '-s', '0', '-o', output, ...filters, '-p', tid], { stdio: 'ignore' })
  const ended = once(strace, 'close')
  return {
    calls: () => readTrace(output),
    whole: async () => {
      await ended
      return readTrace(output)
    },
    heal: () => void strace.kill('SIGTERM'),
  }
}

function injection({ syscall, nth, error }: ThreadHarm): string {
  if (error === undefined) return `inject=${syscall}:signal=SIGKILL:when=${nth}`
  return `inject=${syscall}:error=${error.errno}:when=${nth}${error.onwards ? '+' : ''}`
}

/** Its id, once there is one. */
export async function poolThread(pid: number): Promise<string> {
  for (let attempt = 0; attempt < ATTACH_ATTEMPTS; attempt += 1) {
    const tasks = `/proc/${pid}/task`
    const found = readdirSync(tasks).find((tid) => nameOf(join(tasks, tid)) === POOL_THREAD)
    if (found !== undefined) return found
    await setTimeout(5)
  }
  throw new Error(`process ${pid} has no pool of threads`)
}

function nameOf(task: string): string {
  try {
    return readFileSync(join(task, 'comm'), 'utf8').trim()
  } catch {
    return ''
  }
}

/** Lines `syscall(arguments…`, with or without a process id in front; resumed and other lines are no calls. */
export function readTrace(output: string): readonly TracedCall[] {
  const lines = existsSync(output) ? readFileSync(output, 'utf8').split('\n') : []
  return lines.flatMap((text) => {
    const syscall = /^(?:\d+ +)?([a-z0-9_]+)\(/.exec(text)?.[1]
    return syscall === undefined ? [] : [{ syscall, text }]
  })
}

/** Whether the target was reached: it is the last call that was entered, and did not return. */
export function diedAt({ syscall, nth }: ThreadTarget, trace: readonly TracedCall[]): boolean {
  const calls = trace.filter((call) => call.syscall === syscall)
  return calls.length === nth && trace.at(-1)?.syscall === syscall && (trace.at(-1)?.text.endsWith('= ?') ?? false)
}
