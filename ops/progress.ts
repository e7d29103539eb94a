/**
 * Progress: one line on stderr that replaces itself, for a person who waits. It is printed only on a terminal and never under
 * `--json`, so a pipe, a file or a program never receives it. Whatever a command prints next erases it first.
 */
import { systemClock } from '../shared/clock.ts'

/** Work that ends sooner shows nothing. */
const SHOWN_AFTER_MS = 1_000
/** The line is not painted more often: a report may come for every file. */
const PAINT_MS = 100
/** The seconds in the line go on while nothing is reported. */
const TICK_MS = 1_000
const COLUMNS_DEFAULT = 80

/** The terminal that the line is on. */
interface Screen {
  readonly write: (text: string) => unknown
  readonly columns?: number
}

/** Says how far the work is, for example `12 of 40 files`. */
export type ReportProgress = (done: string) => void

export class ProgressLine {
  readonly #output: Screen
  #paintedMs = -Infinity
  #isShown = false

  constructor(output: Screen) {
    this.#output = output
  }

  /** Replaces the line. The text is cut at the width of the terminal, because a line that wraps cannot be erased. */
  show(text: string): void {
    const nowMs = systemClock.monotonicMs()
    if (this.#isShown && nowMs - this.#paintedMs < PAINT_MS) return
    this.#paintedMs = nowMs
    this.#isShown = true
    const columns = this.#output.columns ?? COLUMNS_DEFAULT
    this.#output.write(`\r\x1b[K${text.slice(0, columns - 1)}`)
  }

  erase(): void {
    if (!this.#isShown) return
    this.#isShown = false
    this.#output.write('\r\x1b[K')
  }
}

/** Runs work, and shows what it does, how far it is and for how long it runs, from its first second on. */
export async function duringWork<T>(
  line: ProgressLine,
  what: string,
  work: (report: ReportProgress) => Promise<T>,
): Promise<T> {
  const startedMs = systemClock.monotonicMs()
  let done = ''
  const paint = (): void => {
    const ms = systemClock.monotonicMs() - startedMs
    if (ms >= SHOWN_AFTER_MS) line.show(`${what}${done === '' ? '' : `: ${done}`}, ${elapsedText(ms)}`)
  }
  const callOff = systemClock.every(TICK_MS, paint)
  try {
    return await work((text) => {
      done = text
      paint()
    })
  } finally {
    callOff()
    line.erase()
  }
}

/** `7 s`, `3 min 5 s`. */
function elapsedText(ms: number): string {
  const seconds = Math.floor(ms / 1_000)
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

/** `12 of 40 files`. */
export function countText(done: number, all: number, unit: string): string {
  return `${done.toLocaleString('en')} of ${all.toLocaleString('en')} ${unit}`
}

/** `1.2 of 4.0 MB (30 %)`; without a total `1.2 MB`. */
export function bytesText(done: number, all?: number): string {
  const size = (bytes: number): string => (bytes / 1e6).toFixed(1)
  if (all === undefined) return `${size(done)} MB`
  const share = all === 0 ? 1 : Math.min(1, done / all)
  return `${size(done)} of ${size(all)} MB (${Math.floor(share * 100)} %)`
}
