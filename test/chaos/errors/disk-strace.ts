/**
 * strace on both threads of a node that touch its disk, from their first call on: SQLite's and all synchronous ones are the main
 * thread's, asynchronous ones the pool's. It notes what is done to some files, and lets a call of our choice fail.
 *
 * A call that fails is not made: what a failed sync was to write is still in the page cache. `lost-pages.ts` takes it from there.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { poolThread, type Thread, TRACED } from '../archive/thread-strace.ts'
import type { NodeStart } from '../node-process.ts'

export const WRITES = ['write', 'pwrite64', 'writev', 'pwritev'] as const
export const SYNCS = ['fsync', 'fdatasync'] as const
const OTHERS = ['pread64', 'openat', 'rename', 'unlink', 'ftruncate'] as const
const SYSCALLS: readonly string[] = [...WRITES, ...SYNCS, ...OTHERS]

/** What every node that is traced by this is started with. */
export const HELD_BACK: Pick<NodeStart, 'imports' | 'env'> = { ...TRACED, env: { ...TRACED.env, CHAOS_TRACED: '2' } }

export interface Failure {
  readonly syscall: string
  /** Counted from 1, among the calls on the traced files, in each thread by itself. */
  readonly nth: number
  readonly errno: string
  /** The calls that follow fail as well: a full disk stays full until it is healed. */
  readonly onwards: boolean
}

export interface DiskCall {
  readonly thread: Thread
  readonly syscall: string
  readonly path: string
  readonly text: string
  readonly injected: boolean
  /** What the call returned; undefined where it had not when the trace ended. */
  readonly result: number | undefined
  /** Another thread's calls may lie between a beginning and its end. */
  readonly phase: 'whole' | 'begin' | 'end'
}

export interface DiskTrace {
  /** As it stands now. */
  readonly calls: () => readonly DiskCall[]
  /** From now on every call does what it should. */
  readonly heal: () => Promise<void>
}

interface TraceOptions {
  readonly pid: number
  readonly files: readonly string[]
  readonly failure?: Failure | undefined
  readonly output: string
}

/** Resolves as soon as strace runs; the node waits until it has both threads. */
export async function traceDisk({ pid, files, failure, output }: TraceOptions): Promise<DiskTrace> {
  rmSync(output, { force: true })
  const pool = await poolThread(pid)
  const filters = [...files.flatMap((file) => ['-P', file]), '-e', `trace=${SYSCALLS.join(',')}`]
  if (failure !== undefined) {
    const { syscall, errno, nth, onwards } = failure
    filters.push('-e', `inject=${syscall}:error=${errno}:when=${nth}${onwards ? '+' : ''}`)
  }
  const threads = ['-p', pool, '-p', String(pid)]
  const strace = spawn('strace', ['-f', '-qq', '-y', '-s', '0', '-o', output, ...filters, ...threads], {
    stdio: 'ignore',
  })
  const ended = once(strace, 'close')
  return {
    calls: () => readCalls(output, pid),
    heal: async () => {
      strace.kill('SIGTERM')
      await ended
    },
  }
}

/** Of a call by its name and descriptor, or by its first path. */
const PATH = /[<"](\/[^>"]*)[>"]/
/** Of one whose folder is a descriptor, the name comes after the folder. */
const NAMED = /^openat\([^"]*"([^"]*)"/
const RESUMED = /^<\.\.\. [a-z0-9_]+ resumed>(.*)$/
const UNFINISHED = ' <unfinished ...>'

function readCalls(output: string, pid: number): readonly DiskCall[] {
  const lines = existsSync(output) ? readFileSync(output, 'utf8').split('\n') : []
  /** Calls of each thread that have begun; their ends do not repeat what they are on. */
  const begun = new Map<string, string>()
  return lines.flatMap((line) => {
    const [, tid = '', text = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
    const end = RESUMED.exec(text)?.[1]
    const whole = end === undefined ? text : `${begun.get(tid) ?? ''}${end}`
    const phase = text.endsWith(UNFINISHED) ? 'begin' : end === undefined ? 'whole' : 'end'
    if (phase === 'begin') begun.set(tid, text.slice(0, -UNFINISHED.length))
    const syscall = /^([a-z0-9_]+)\(/.exec(whole)?.[1]
    const path = (NAMED.exec(whole) ?? PATH.exec(whole))?.[1]
    if (syscall === undefined || path === undefined) return []
    const result = phase === 'begin' ? undefined : /\) += (-?\d+)/.exec(whole)?.[1]
    return {
      thread: tid === String(pid) ? 'main' : 'pool',
      syscall,
      path,
      text: whole,
      injected: whole.endsWith('(INJECTED)'),
      result: result === undefined ? undefined : Number(result),
      phase,
    } satisfies DiskCall
  })
}
