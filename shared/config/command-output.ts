/**
 * Runs a program that prints a KEK, and returns its standard output. The program gets its own process group, so that a program
 * that hangs, or leaves a child on its output, is killed with all its children. Its standard error is discarded, because a key
 * in it would end up in the log.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { CallOff, Timers } from '../clock.ts'

export interface OutputLimits {
  readonly bytesMax: number
  readonly timeoutMs: number
  readonly timers: Pick<Timers, 'after'>
}

/** Longest wait for the rest of the output after the program has exited, because a child of it may keep the output open. */
const LEFTOVER_MS = 500

/** Resolves with undefined if the program cannot be run, fails, prints too much or takes too long. */
export function outputOf(
  command: readonly string[],
  { bytesMax, timeoutMs, timers }: OutputLimits,
): Promise<string | undefined> {
  const [program = '', ...args] = command
  return new Promise((resolve) => {
    const child = spawn(program, args, { detached: true, stdio: ['ignore', 'pipe', 'ignore'] })
    const chunks: Buffer[] = []
    let bytes = 0
    let status: number | null | undefined
    const settle = (isWhole: boolean): void => {
      for (const callOff of waits) callOff()
      child.stdout.destroy()
      resolve(isWhole && status === 0 ? Buffer.concat(chunks).toString('utf8') : undefined)
    }
    const cut = (isWhole: boolean): void => {
      killGroup(child)
      settle(isWhole)
    }
    const waits: CallOff[] = [timers.after(timeoutMs, () => cut(false))]
    child.stdout.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes > bytesMax) cut(false)
    })
    child.once('error', () => settle(false))
    child.once('exit', (code) => {
      status = code
      waits.push(timers.after(LEFTOVER_MS, () => cut(true)))
    })
    child.once('close', () => settle(true))
  })
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // The whole group has ended already.
  }
}
