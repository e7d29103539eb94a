/**
 * The command line on a pseudo-terminal of 80 columns, made by util-linux's `script`. What a person sees is worked out from
 * the bytes, as a terminal does it.
 */
import { execFile, spawnSync } from 'node:child_process'
import { PROGRAM } from './command.ts'

export const COLUMNS = 80

/** Undefined if this machine can make pseudo-terminals; else the reason, which is part of the test's name. */
export const NO_TERMINAL: string | undefined =
  spawnSync('script', ['--version']).status === 0 ? undefined : ' (SKIPPED: `script` of util-linux is missing)'

export interface Seen {
  readonly status: number
  /** Everything that came, stdout and stderr as they came, with ␛ for the escape character. */
  readonly bytes: string
  /** The lines that are left when it has ended. */
  readonly lines: readonly string[]
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** Runs a command on a terminal with COLUMNS columns. `typed` is what the person types. */
export function onTerminal(
  args: readonly string[],
  {
    profile = '',
    typed = '',
    program = PROGRAM,
  }: { readonly profile?: string; readonly typed?: string; readonly program?: string } = {},
): Promise<Seen> {
  const command = ['exec', process.execPath, program, ...args].map((word, at) => (at === 0 ? word : quoted(word)))
  const script = `stty cols ${COLUMNS} rows 24; ${command.join(' ')}`
  const env = { ...process.env, MACAROOND_PROFILE: profile, TERM: 'xterm', SHELL: '/bin/sh' }
  return new Promise((resolve) => {
    const options = { env, timeout: 60_000, maxBuffer: 64 * 1024 * 1024 }
    const child = execFile('script', ['-qec', script, '/dev/null'], options, (error, stdout) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      const bytes = stdout.replaceAll('\u001b', '␛')
      resolve({ status, bytes, lines: linesLeft(bytes) })
    })
    if (typed === '') return
    child.stdin?.write(typed)
  })
}

/** The lines that a terminal shows in the end: a carriage return begins the line again, and ␛[K erases its rest. */
function linesLeft(bytes: string): readonly string[] {
  return bytes.split('\r\n').map((raw) => {
    let line = ''
    for (const [part] of raw.matchAll(/\r|␛\[[\d;]*[A-Za-z]|[^\r␛]+/g)) {
      if (part === '\r' || part === '␛[K') line = ''
      else if (!part.startsWith('␛')) line += part
    }
    return line
  })
}

/** Lines that the terminal would break inside a word: longer than it is wide, although they have a space to break at. */
export function brokenLines(lines: readonly string[]): readonly string[] {
  return lines.filter((line) => line.length > COLUMNS && line.trim().includes(' '))
}
