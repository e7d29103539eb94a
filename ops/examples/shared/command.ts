/** Runs the `macaroond` command as a process, as a person would: a token on standard input, another on standard output. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface Ran {
  readonly status: number
  readonly stdout: string
}

const PROGRAM: string = fileURLToPath(new URL('../../cli.ts', import.meta.url))

export function macaroond(args: readonly string[], stdin: string = ''): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [PROGRAM, ...args], (error, stdout) => {
      resolve({ status: error === null ? 0 : Number(error.code), stdout: stdout.trim() })
    })
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(stdin)
  })
}
