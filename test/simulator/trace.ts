/** The trace of a run as text, in order. Two runs of one seed must give the same trace, so it holds nothing nondeterministic. */
import { createHash, type Hash } from 'node:crypto'

export class Trace {
  readonly lines: string[] = []
  readonly #nowMs: () => number
  readonly #hash: Hash = createHash('sha256')

  readonly #folder: string

  /** `folder`: of the run, which another run of the same seed has elsewhere. */
  constructor(nowMs: () => number, folder: string) {
    this.#nowMs = nowMs
    this.#folder = folder
  }

  say(who: string, what: string): void {
    const line = `${this.#nowMs().toFixed(3)} ${who}: ${what.replaceAll(this.#folder, '')}`
    this.lines.push(line)
    this.#hash.update(line)
  }

  digest(): string {
    return this.#hash.copy().digest('hex').slice(0, 16)
  }
}

/** The first line in which they differ, or undefined. */
export function difference(a: readonly string[], b: readonly string[]): string | undefined {
  const at = a.findIndex((line, index) => line !== b[index])
  if (at === -1 && a.length === b.length) return undefined
  const index = at === -1 ? a.length : at
  return `line ${index + 1}: "${a[index] ?? '(ended)'}" and then "${b[index] ?? '(ended)'}"`
}
