/**
 * What a program prints that gives a key away. It has a process group of its own: one that ignores SIGTERM, or leaves a child
 * on its output, is ended with all that it started. What it prints as talk is nobody's: a key in it would end in the log.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { CallOff, Timers } from '../clock.ts'

export interface OutputLimits {
  readonly bytesMax: number
  readonly timeoutMs: number
  readonly timers: Pick<Timers, 'after'>
}

/** A child that keeps the output open after its parent's end is waited for as long: the output may not be read yet. */
const LEFTOVER_MS = 500

/** Undefined when it cannot be run, fails, prints too much or takes too long. */
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
    // Nobody of it is left.
  }
}
