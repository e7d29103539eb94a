/**
 * Runs an example as a story of steps. Each step has an expected outcome, which is compared with the real one. The exit status
 * is 0 only if all steps hold. With `--json` each step is a line of JSON.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { reportOf } from '../../../shared/errors.ts'
import { printable } from '../../terminal.ts'

/** A step with its outcome. `held` is true if the outcome is the expected one. */
export interface StoryStep {
  readonly step: string
  readonly expected: string
  readonly seen: string
  readonly held: boolean
}

/** One run of an example: its steps, its folder, and the work for its end. */
export class Story {
  readonly steps: StoryStep[] = []
  /** A folder for files, deleted at the end of the story. */
  readonly folder: string = mkdtempSync(join(tmpdir(), 'macaroond-example-'))
  readonly #json: boolean
  readonly #endings: (() => unknown)[] = []

  constructor(json: boolean) {
    this.#json = json
  }

  /** Prints a heading. It has no meaning for the outcome. */
  chapter(title: string): void {
    if (!this.#json) print(`\n${title}`)
  }

  /** Runs a step and compares its outcome. The outcome of an error is its code. */
  async see(step: string, expected: string, act: () => Promise<string> | string): Promise<void> {
    const seen = await outcomeOf(act)
    const seenStep = { step, expected, seen, held: seen === expected }
    this.steps.push(seenStep)
    if (this.#json) return print(JSON.stringify(seenStep))
    print(
      `  ${seenStep.held ? '✓' : '✗'} ${step}: ${printable(seen)}${seenStep.held ? '' : `, expected: ${printable(expected)}`}`,
    )
  }

  /** Registers work for the end of the story, in success and failure. The last one registered runs first. */
  atTheEnd(work: () => unknown): void {
    this.#endings.push(work)
  }

  /** Ends services and nodes first, because they have files in the folder. */
  async end(): Promise<void> {
    for (const work of this.#endings.toReversed()) await work()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** Runs a story and prints it. The exit status is 1 if a step had another outcome than expected. */
export async function tell(title: string, body: (story: Story) => Promise<void>): Promise<void> {
  const json = process.argv.includes('--json')
  const story = new Story(json)
  if (!json) print(title)
  // Without this, Ctrl-C would leave the story's processes and its folder behind.
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

/** The outcome, or the code of the error: a refusal that a library throws is an outcome too. */
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
