/** strace, where it is installed: it ends a process at the n-th system call of one kind on one file, inside SQLite itself. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

export interface SyscallTarget {
  readonly file: string
  readonly syscall: string
  /** Counted from 1. */
  readonly nth: number
}

/** False where it is missing, or where this process may not trace another. */
export function straceWorks(): boolean {
  const options = ['-o', '/dev/null', '-e', 'trace=close', '-e', 'inject=close:signal=SIGKILL:when=1']
  return spawnSync('strace', [...options, 'true']).signal === 'SIGKILL'
}

/** The same for calls that fail and are not made. */
export function straceFails(): boolean {
  const options = ['-o', '/dev/null', '-e', 'trace=write', '-e', 'inject=write:error=EIO:when=1']
  return spawnSync('strace', [...options, 'echo'], { stdio: 'ignore' }).status === 1
}

/** Traces the thread that does all the work of a node, from now on. `output` gets what was traced; strace ends with the process. */
export function attachStrace(pid: number, { file, syscall, nth }: SyscallTarget, output: string): void {
  const inject = `inject=${syscall}:signal=SIGKILL:when=${nth}`
  const options = ['-qq', '-o', output, '-P', file, '-e', `trace=${syscall}`, '-e', inject, '-p', String(pid)]
  spawn('strace', options, { stdio: 'ignore' })
}

/** Whether the n-th call was reached. */
export function reachedSyscall({ syscall, nth }: SyscallTarget, output: string): boolean {
  const lines = existsSync(output) ? readFileSync(output, 'utf8').split('\n') : []
  return lines.filter((line) => line.includes(`${syscall}(`)).length >= nth
}
