/**
 * Runs an example as a story of steps. Each step has an expected outcome, which is compared with the real one. The exit status
 * is 0 only if all steps hold. With `--json` each step is a line of JSON.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { reportOf } from '../../../shared/errors.ts'
import { printable } from '../../terminal.ts'

export interface StoryStep {
  readonly step: string
  readonly expected: string
  readonly seen: string
  readonly held: boolean
}

export class Story {
  readonly steps: StoryStep[] = []
  /** A folder for files, deleted at the end of the story. */
  readonly folder: string = mkdtempSync(join(tmpdir(), 'macaroond-example-'))
  readonly #json: boolean
  readonly #endings: (() => unknown)[] = []

  constructor(json: boolean) {
    this.#json = json
  }

  chapter(title: string): void {
    if (!this.#json) print(`\n${title}`)
  }

  /** Runs a step and compares its outcome. The outcome of an error is its code. */
  async see(step: string, expected: string, act: () => Promise<string> | string): Promise<void> {
    const seen = await outcomeOf(act)
    const told = { step, expected, seen, held: seen === expected }
    this.steps.push(told)
    if (this.#json) return print(JSON.stringify(told))
    print(
      `  ${told.held ? '✓' : '✗'} ${step}: ${printable(seen)}${told.held ? '' : `, and not ${printable(expected)}`}`,
    )
  }

  /** Registers work for the end of the story, in success and failure. The last one registered runs first. */
  atTheEnd(work: () => unknown): void {
    this.#endings.push(work)
  }

  async end(): Promise<void> {
    for (const work of this.#endings.toReversed()) await work()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export async function tell(title: string, body: (story: Story) => Promise<void>): Promise<void> {
  const json = process.argv.includes('--json')
  const story = new Story(json)
  if (!json) print(title)
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void story.end().then(() => process.exit(1)))
  try {
    await body(story)
  } finally {
    await story.end()
  }
  const held = story.steps.filter((step) => step.held).length
  if (!json) print(`\n${held} of ${story.steps.length} steps passed`)
  process.exitCode = held === story.steps.length ? 0 : 1
}

async function outcomeOf(act: () => Promise<string> | string): Promise<string> {
  try {
    return await act()
  } catch (error) {
    return reportOf(error).code
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
