/** What earlier runs found, kept with the tests: the shortest input of each way of ending, one a line. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { deflateRawSync, inflateRawSync } from 'node:zlib'

const FILE = new URL('kept.ndjson', import.meta.url)
/** Longer ones are made anew by every run. */
const LINE_CHARS_MAX = 280

export interface KeptInput {
  readonly target: string
  /** As `fuzzOne` says it. */
  readonly outcome: string
  readonly input: Buffer
}

interface Line {
  readonly outcome: string
  /** Deflated, in base64. */
  readonly input: string
}

export function keptInputs(): readonly KeptInput[] {
  if (!existsSync(FILE)) return []
  const lines = readFileSync(FILE, 'utf8').trimEnd().split('\n')
  return lines.map((line) => {
    const { outcome, input } = JSON.parse(line) as Line
    return { target: targetOf(outcome), outcome, input: inflateRawSync(Buffer.from(input, 'base64')) }
  })
}

/** Of two with one outcome the shorter one stays. */
export function keepInputs(shortest: Readonly<Record<string, string>>): void {
  const lines = Object.entries(shortest)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([outcome, input]) => lineOf(outcome, Buffer.from(input, 'base64')))
    .filter((line) => line.length <= LINE_CHARS_MAX)
  writeFileSync(FILE, `${lines.join('\n')}\n`)
}

export const keptBytes = (): number => readFileSync(FILE).length

function lineOf(outcome: string, input: Buffer): string {
  return JSON.stringify({ outcome, input: deflateRawSync(input, { level: 9 }).toString('base64') } satisfies Line)
}

function targetOf(outcome: string): string {
  return outcome.slice(0, outcome.indexOf(': '))
}
