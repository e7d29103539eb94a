/** The command line in a shell, with its stdout led elsewhere. */
import { spawn } from 'node:child_process'
import { PROGRAM } from './command.ts'

export interface ShellRan {
  readonly status: number | null
  readonly stderr: string
}

/** Runs a command with `after` behind it, such as `> /dev/full` or `| true`. The status is that of the command. */
export function shellOf(args: readonly string[], after: string, profile: string): Promise<ShellRan> {
  const script = `set -o pipefail; "$0" "$@" ${after}`
  return new Promise((resolve) => {
    const env = { ...process.env, MACAROOND_PROFILE: profile }
    const child = spawn('bash', ['-c', script, process.execPath, PROGRAM, ...args], { env })
    let stderr = ''
    child.stdout.resume()
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    child.once('close', (status) => resolve({ status, stderr }))
  })
}
