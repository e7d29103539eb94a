/** Where a command reads and writes: data on stdout, talk on stderr, and the exit status it will have. */
import { styleText } from 'node:util'
import { reportOf } from '../shared/errors.ts'
import { exitStatusOf } from './exit-status.ts'

export type Input = NodeJS.ReadableStream & { readonly isTTY?: boolean }
export type Output = NodeJS.WritableStream & { readonly isTTY?: boolean }

export interface Streams {
  readonly stdin: Input
  readonly stdout: Output
  readonly stderr: Output
  readonly env: NodeJS.ProcessEnv
}

export class Terminal {
  readonly stdin: Input
  readonly env: NodeJS.ProcessEnv
  /** One JSON document on stdout instead of text. */
  readonly json: boolean
  /** Exit status of the process, 0 unless a command or an error sets it. */
  status = 0
  readonly #stdout: Output
  readonly #stderr: Output

  constructor(streams: Streams, json: boolean) {
    this.stdin = streams.stdin
    this.env = streams.env
    this.json = json
    this.#stdout = streams.stdout
    this.#stderr = streams.stderr
    // `macaroond … | head -1` closes the pipe; what nobody reads is not an error.
    for (const stream of [this.#stdout, this.#stderr]) stream.on('error', ignoreBrokenPipe)
  }

  /** A line of data. */
  print(line: string): void {
    this.#stdout.write(`${line}\n`)
  }

  /** A line of talk: progress, remarks, hints. */
  say(line: string): void {
    this.#stderr.write(`${line}\n`)
  }

  /** A line that the next one takes the place of; only where somebody watches. The empty one ends it. */
  progress(line: string): void {
    if (this.#stderr.isTTY === true) this.#stderr.write(`\r\x1b[K${line}`)
  }

  /** The result of a command: the document under `--json`, else its lines. */
  answer(document: object, lines: string | readonly string[]): void {
    if (this.json) return this.print(JSON.stringify(document))
    for (const line of [lines].flat()) this.print(line)
  }

  /** Reports an error in the form that was asked for, and sets the status that goes with it; `more` is for JSON. */
  fail(error: unknown, more: object = {}): void {
    const report = reportOf(error)
    this.status = exitStatusOf(error)
    if (this.json) return this.print(JSON.stringify({ ...more, error: report }))
    this.say(`macaroond: ${printable(report.message)} (${report.code})`)
    if (report.hint !== undefined) this.say(`  ${printable(report.hint)}`)
  }

  /** Coloured where stdout is a terminal that wants colours; NO_COLOR is the user's word against it. */
  paint(style: 'green' | 'red' | 'dim' | 'bold', text: string): string {
    const plain = this.#stdout.isTTY !== true || (this.env['NO_COLOR'] ?? '') !== '' || this.env['TERM'] === 'dumb'
    return plain ? text : styleText(style, text, { validateStream: false })
  }
}

/** Text from outside, made safe for a terminal: control characters could move the cursor or rewrite what was said. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) => {
    return char === '\n' ? '\n' : `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`
  })
}

/** The same for text that must not leave its line: a caveat with a newline could pose as a line of ours. */
export function printableLine(text: string): string {
  return printable(text).replaceAll('\n', '\\u{a}')
}

/** Columns as wide as their widest cell, two spaces apart. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length))
  const widths = Array.from({ length: columns }, (_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

function ignoreBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
}
