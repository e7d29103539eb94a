/** Prints at the end of a suite each planted bug and the run or test that found it. */
import type { MustBeFound } from './mutant.ts'

export interface Found {
  readonly bug: string
  readonly shows: MustBeFound | undefined
  /** The rule, or the test. */
  readonly by: string
  readonly seeds?: string
}

export class FoundTable {
  readonly #rows: Found[] = []

  add(found: Found): void {
    this.#rows.push(found)
  }

  get text(): string {
    const lines = this.#rows.map(({ bug, shows, by, seeds = '' }) => [bug, by, seeds, shows ?? ''])
    const all = [['planted bug', 'found by', 'seeds', 'of those that must be found'], ...lines]
    const widths = [0, 1, 2, 3].map((column) => Math.max(...all.map((cells) => cells[column]?.length ?? 0)))
    return all
      .map((cells) =>
        cells
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd(),
      )
      .join('\n')
  }
}
