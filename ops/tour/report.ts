/** Prints the steps of a tour or a rehearsal for people, one line as each step ends, and a summary. */
import { printable, type Terminal } from '../terminal.ts'
import type { StepResult } from './step.ts'

/** The widest title of a step, so that times stand in a column. */
const TITLE_WIDTH = 31
const MS_WIDTH = 9

/** Prints one step. Under `--json` nothing: `printSummary` prints one document with all steps. */
export function printStep(terminal: Terminal, { step, ok, ms, detail }: StepResult): void {
  if (terminal.json) return
  const mark = ok ? terminal.paint('green', '✓') : terminal.paint('red', '✗')
  const time = msText(ms).padStart(MS_WIDTH)
  terminal.print(`  ${mark} ${step.padEnd(TITLE_WIDTH)} ${time}  ${terminal.paint('dim', printable(detail))}`)
}

/** `planned` is the number of steps; fewer results mean that a step failed. */
export function printSummary(
  terminal: Terminal,
  results: readonly StepResult[],
  planned: number,
  totalMs: number,
): void {
  const passed = results.filter(({ ok }) => ok).length
  const ok = passed === planned
  const text = `${passed} of ${planned} steps passed, in ${(totalMs / 1000).toFixed(1)} s`
  terminal.answer({ ok, steps: results }, [])
  if (!terminal.json) terminal.print(`\n${terminal.paint(ok ? 'green' : 'red', text)}`)
}

function msText(ms: number): string {
  return `${ms < 100 ? ms.toFixed(1) : Math.round(ms)} ms`
}
