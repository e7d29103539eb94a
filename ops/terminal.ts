/**
 * The terminal of one command: stdin, data on stdout, messages on stderr, and the exit status. Every text that came from
 * outside is printed through `printable`, so that it cannot control the terminal.
 */
import { fstatSync, writeSync } from 'node:fs'
import { Writable } from 'node:stream'
import { styleText } from 'node:util'
import { MacaroondError, reportOf } from '../shared/errors.ts'
import { exitStatusOf } from './exit-status.ts'
import { foldLine } from './fold.ts'
import { duringWork, ProgressLine, type ReportProgress } from './progress.ts'

export type Input = NodeJS.ReadableStream & { readonly isTTY?: boolean }
export type Output = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number }

/** The streams and environment of a process. Tests pass their own. */
export interface Streams {
  readonly stdin: Input
  readonly stdout: Output
  readonly stderr: Output
  readonly env: NodeJS.ProcessEnv
}

/**
 * A change that a command made. If the answer cannot be printed, this text goes to stderr, because the caller would otherwise
 * think that nothing happened and might repeat the command.
 */
export interface ReportedChange {
  /** The change, as the beginning of a sentence: `created org acme`. */
  readonly what: string
  /** The next command for the caller, as a hint. */
  readonly next: string
}

const COLUMNS_DEFAULT = 80

/** Owns the input and output of one command. Commands print only through it, so that escaping and JSON happen in one place. */
export class Terminal {
  readonly stdin: Input
  readonly env: NodeJS.ProcessEnv
  /** True if stdout gets one JSON document instead of text. */
  readonly json: boolean
  /** Exit status of the process, 0 unless a command or an error sets it. */
  status = 0
  readonly #stdout: Output
  readonly #stderr: Output
  /** Undefined where nobody watches. */
  readonly #progress: ProgressLine | undefined
  #change: ReportedChange | undefined
  /** The first error of stdout. Later ones are consequences of it. */
  #unwritten: NodeJS.ErrnoException | undefined

  constructor(streams: Streams, json: boolean) {
    this.stdin = streams.stdin
    this.env = streams.env
    this.json = json
    this.#stdout = streams.stdout
    this.#stderr = streams.stderr
    this.#progress = streams.stderr.isTTY === true && !json ? new ProgressLine(streams.stderr) : undefined
    this.#stdout.on('error', (error: NodeJS.ErrnoException) => (this.#unwritten ??= error))
    // If stderr is gone, nothing is left to report it on.
    this.#stderr.on('error', () => undefined)
  }

  /** Width of the terminal on stdout; undefined if stdout is no terminal: what a program reads is not folded. */
  get columns(): number | undefined {
    return this.#stdout.isTTY === true ? (this.#stdout.columns ?? COLUMNS_DEFAULT) : undefined
  }

  /** True once stdout takes nothing more, because its reader is gone or its disk is full. */
  get isClosed(): boolean {
    return this.#unwritten !== undefined
  }

  /** Clears the screen before an answer that replaces the one before. Only a terminal has a screen. */
  turnPage(): void {
    this.#progress?.erase()
    if (this.#stdout.isTTY === true && !this.json) this.#stdout.write('\x1b[2J\x1b[H')
  }

  /** Prints a text of our own unchanged, with its line breaks and colours. Use `answer` for any text from outside. */
  print(text: string): void {
    this.#progress?.erase()
    this.#stdout.write(`${text}\n`)
  }

  /** Prints a message on stderr: a warning, a hint. */
  say(line: string): void {
    this.#progress?.erase()
    const { isTTY = false, columns = COLUMNS_DEFAULT } = this.#stderr
    const lines = isTTY && !this.json ? foldLine(printable(line), columns) : [printable(line)]
    this.#stderr.write(`${lines.join('\n')}\n`)
  }

  /** Shows a line that the next output replaces, if a person watches. */
  progress(line: string): void {
    this.#progress?.show(printable(line))
  }

  /** Runs work that may last. If a person watches, a line says how far it is, and is erased at the end. */
  during<T>(what: string, work: (report: ReportProgress) => Promise<T>): Promise<T> {
    if (this.#progress === undefined) return work(() => undefined)
    return duringWork(this.#progress, printable(what), work)
  }

  /**
   * Prints a part of a long answer unchanged, and resolves once it is written, so that a slow reader holds up the command and
   * not its memory. False if stdout takes no more: then the command has no reason to continue.
   */
  async printPart(text: string): Promise<boolean> {
    if (this.#unwritten !== undefined) return false
    this.#progress?.erase()
    const error = await new Promise<Error | null | undefined>((resolve) => void this.#stdout.write(text, resolve))
    if (error instanceof Error) this.#unwritten ??= error
    return this.#unwritten === undefined
  }

  /** Prints the result: the document under `--json`, else the lines. Give `change` if the command changed something. */
  answer(document: object, lines: string | readonly string[], change?: ReportedChange): void {
    this.#change = change
    if (this.json) return this.print(jsonLine(document))
    for (const line of [lines].flat()) this.print(printable(line))
  }

  /**
   * Asks the person at the terminal and returns the line that is typed, '' at the end of input. Undefined if nobody can be
   * asked: stdin or stderr is no terminal, or the output is JSON.
   */
  async ask(question: string): Promise<string | undefined> {
    if (this.stdin.isTTY !== true || this.#stderr.isTTY !== true || this.json) return undefined
    this.#progress?.erase()
    this.#stderr.write(printable(question))
    let text = ''
    for await (const chunk of this.stdin) {
      text += String(chunk)
      if (text.includes('\n')) break
    }
    return (text.split('\n')[0] ?? '').trim()
  }

  /** Reports an error as text or as JSON, and sets the exit status for it. The members of `more` are added to the JSON. */
  fail(error: unknown, more: object = {}): void {
    const report = reportOf(error)
    this.status = exitStatusOf(error)
    if (this.json) return this.print(jsonLine({ ...more, error: report }))
    this.say(`macaroond: ${report.message} (${report.code})`)
    if (report.hint !== undefined) this.say(`  ${report.hint}`)
  }

  /** Waits until the answer is written, and reports an answer that is lost. Returns the exit status. */
  async finish(): Promise<number> {
    this.#progress?.erase()
    const error = await new Promise<Error | null | undefined>((resolve) => void this.#stdout.write('', resolve))
    if (error instanceof Error) this.#unwritten ??= error
    const { code } = this.#unwritten ?? {}
    // `macaroond … | head -1` closes the pipe. That is no error unless the lost answer reported a change.
    if (this.#unwritten !== undefined && (code !== 'EPIPE' || this.#change !== undefined)) this.#reportUnwritten()
    return this.status
  }

  #reportUnwritten(): void {
    const { what = '', next: hint } = this.#change ?? {}
    const lost = `answer could not be written (${this.#unwritten?.code ?? this.#unwritten?.message})`
    const message = what === '' ? `the ${lost}` : `${what}, but its ${lost}`
    const error = new MacaroondError('answer_unwritten', message, hint === undefined ? {} : { hint })
    if (this.status === 0) this.status = exitStatusOf(error)
    if (this.json) return this.say(jsonLine({ error: reportOf(error) }))
    this.say(`macaroond: ${message} (${error.code})${hint === undefined ? '' : `; ${hint}`}`)
  }

  /** Colours the text if stdout is a terminal with colours and NO_COLOR is not set (no-color.org). */
  paint(style: 'green' | 'red' | 'dim' | 'bold', text: string): string {
    const plain = this.#stdout.isTTY !== true || (this.env['NO_COLOR'] ?? '') !== '' || this.env['TERM'] === 'dumb'
    return plain ? text : styleText(style, text, { validateStream: false })
  }
}

/** Control characters, line breaks and invisible format characters. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/**
 * Escapes every character that a terminal would obey, so that the result is one line that shows its content. Tokens, subjects
 * and statuses are written by others: a control character could move the cursor, a line break could fake a line of ours, a
 * bidirectional character could reverse the meaning.
 */
export function printable(text: string): string {
  return text.replaceAll(UNSEEN, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`)
}

/** JSON of the same value, with every character that a terminal would obey as a \u escape (RFC 8259, section 7). */
export function jsonLine(document: object): string {
  return JSON.stringify(document).replaceAll(UNSEEN, (char) =>
    char.replaceAll(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
  )
}

/** Aligns cells in columns as wide as their widest cell, two spaces apart. */
export function table(rows: readonly (readonly string[])[]): string[] {
  // Escaped before it is measured, because an escape is longer than its character.
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

/** The streams of this process. */
export function ownStreams(): Streams {
  const { stdin, stderr, env } = process
  return { stdin, stdout: fstatSync(1).isFile() ? wholeFile() : process.stdout, stderr, env }
}

/** Writes everything or fails. Node's own stream for a file reports success for a write that a full disk cut short. */
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
