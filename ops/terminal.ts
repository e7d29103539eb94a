/** Where a command reads and writes: data on stdout, talk on stderr, and the exit status it will have. */
import { fstatSync, writeSync } from 'node:fs'
import { Writable } from 'node:stream'
import { styleText } from 'node:util'
import { MacaroondError, reportOf } from '../shared/errors.ts'
import { exitStatusOf } from './exit-status.ts'

export type Input = NodeJS.ReadableStream & { readonly isTTY?: boolean }
export type Output = NodeJS.WritableStream & { readonly isTTY?: boolean }

export interface Streams {
  readonly stdin: Input
  readonly stdout: Output
  readonly stderr: Output
  readonly env: NodeJS.ProcessEnv
}

/** For a command whose answer cannot be written: the caller would not know that it was carried out. */
export interface Done {
  /** What was done, as the beginning of a sentence. */
  readonly what: string
  /** What to type now. */
  readonly next: string
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
  #done: Done | undefined
  #unwritten: NodeJS.ErrnoException | undefined

  constructor(streams: Streams, json: boolean) {
    this.stdin = streams.stdin
    this.env = streams.env
    this.json = json
    this.#stdout = streams.stdout
    this.#stderr = streams.stderr
    this.#stdout.on('error', (error: NodeJS.ErrnoException) => (this.#unwritten ??= error))
    // Nothing is left to say it with.
    this.#stderr.on('error', () => undefined)
  }

  /** A text of our own as it is, with line breaks and colours in it. Anything from outside belongs into an answer. */
  print(text: string): void {
    this.#stdout.write(`${text}\n`)
  }

  /** A line of talk: progress, remarks, hints. */
  say(line: string): void {
    this.#stderr.write(`${printable(line)}\n`)
  }

  /** A line that the next one takes the place of; only where somebody watches. The empty one ends it. */
  progress(line: string): void {
    if (this.#stderr.isTTY === true) this.#stderr.write(`\r\x1b[K${line}`)
  }

  /** The result of a command: the document under `--json`, else its lines. `done`: it changed something. */
  answer(document: object, lines: string | readonly string[], done?: Done): void {
    this.#done = done
    if (this.json) return this.print(jsonLine(document))
    for (const line of [lines].flat()) this.print(printable(line))
  }

  /** Reports an error in the form that was asked for, and sets the status that goes with it; `more` is for JSON. */
  fail(error: unknown, more: object = {}): void {
    const report = reportOf(error)
    this.status = exitStatusOf(error)
    if (this.json) return this.print(jsonLine({ ...more, error: report }))
    this.say(`macaroond: ${report.message} (${report.code})`)
    if (report.hint !== undefined) this.say(`  ${report.hint}`)
  }

  /** Waits until the answer is out, and reports an answer that is lost. Returns the exit status. */
  async finish(): Promise<number> {
    const error = await new Promise<Error | null | undefined>((resolve) => void this.#stdout.write('', resolve))
    if (error instanceof Error) this.#unwritten ??= error
    const { code } = this.#unwritten ?? {}
    // `macaroond … | head -1` closes the pipe: that nobody reads on is no error, unless the answer tells of a change.
    if (this.#unwritten !== undefined && (code !== 'EPIPE' || this.#done !== undefined)) this.#tellUnwritten()
    return this.status
  }

  #tellUnwritten(): void {
    const { what = '', next: hint } = this.#done ?? {}
    const lost = `answer could not be written (${this.#unwritten?.code ?? this.#unwritten?.message})`
    const message = what === '' ? `the ${lost}` : `${what}, but its ${lost}`
    const error = new MacaroondError('answer_unwritten', message, hint === undefined ? {} : { hint })
    if (this.status === 0) this.status = exitStatusOf(error)
    if (this.json) return this.say(jsonLine({ error: reportOf(error) }))
    this.say(`macaroond: ${message} (${error.code})${hint === undefined ? '' : `; ${hint}`}`)
  }

  /** Coloured where stdout is a terminal that wants colours; NO_COLOR is the user's word against it. */
  paint(style: 'green' | 'red' | 'dim' | 'bold', text: string): string {
    const plain = this.#stdout.isTTY !== true || (this.env['NO_COLOR'] ?? '') !== '' || this.env['TERM'] === 'dumb'
    return plain ? text : styleText(style, text, { validateStream: false })
  }
}

/** Controls, line breaks, and characters that nobody sees. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/**
 * One line that shows what it holds. The text of a token, a subject or a status is written by others: a control character
 * could move the cursor, a line break could pose as a line of ours, a bidirectional one could turn what was said around.
 */
export function printable(text: string): string {
  return text.replaceAll(UNSEEN, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`)
}

/** JSON that reads the same, without a character that a terminal would obey. */
function jsonLine(document: object): string {
  return JSON.stringify(document).replaceAll(UNSEEN, (char) =>
    char.replaceAll(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
  )
}

/** Columns as wide as their widest cell, two spaces apart. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const cells = rows.map((row) => row.map(printable))
  const columns = Math.max(0, ...cells.map((row) => row.length))
  const widths = Array.from({ length: columns }, (_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)))
  return cells.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

/** Those of this process. */
export function ownStreams(): Streams {
  const { stdin, stderr, env } = process
  return { stdin, stdout: fstatSync(1).isFile() ? wholeFile() : process.stdout, stderr, env }
}

/** Node's own stream for a file takes a write that a full disk cut short for a whole one. */
function wholeFile(): Writable {
  return new Writable({
    write: (chunk: Uint8Array, _, done) => {
      try {
        for (let at = 0; at < chunk.byteLength;) at += writeSync(1, chunk, at)
        done()
      } catch (error) {
        done(error as Error)
      }
    },
  })
}
