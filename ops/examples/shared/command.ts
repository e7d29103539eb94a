/** Runs the `macaroond` command as a process, as a person would: a token on standard input, another on standard output. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The outcome of the command. stderr is dropped, because a story compares only results. */
export interface Ran {
  readonly status: number
  readonly stdout: string
}

const PROGRAM: string = fileURLToPath(new URL('../../cli.ts', import.meta.url))

/** Runs the command and waits for its end. An exit status other than 0 is a result and not an error. */
export function macaroond(args: readonly string[], stdin: string = ''): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [PROGRAM, ...args], (error, stdout) => {
      resolve({ status: error === null ? 0 : Number(error.code), stdout: stdout.trim() })
    })
    // A command that reads no input may end before the pipe is written.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(stdin)
  })
}
