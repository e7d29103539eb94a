/** Prints the steps of a tour or a rehearsal for people, one line as each step ends, and a summary. */
import { printable, type Terminal } from '../terminal.ts'
import type { StepResult } from './step.ts'

const TITLE_WIDTH = 31
const MS_WIDTH = 9

export function printStep(terminal: Terminal, { step, ok, ms, detail }: StepResult): void {
  if (terminal.json) return
  const mark = ok ? terminal.paint('green', '✓') : terminal.paint('red', '✗')
  const time = msText(ms).padStart(MS_WIDTH)
  terminal.print(`  ${mark} ${step.padEnd(TITLE_WIDTH)} ${time}  ${terminal.paint('dim', printable(detail))}`)
}

export function printSummary(
  terminal: Terminal,
  results: readonly StepResult[],
  planned: number,
  totalMs: number,
): void {
  const held = results.filter(({ ok }) => ok).length
  const ok = held === planned
  const text = `${held} of ${planned} steps held, in ${(totalMs / 1000).toFixed(1)} s`
  terminal.answer({ ok, steps: results }, [])
  if (!terminal.json) terminal.print(`\n${terminal.paint(ok ? 'green' : 'red', text)}`)
}

function msText(ms: number): string {
  return `${ms < 100 ? ms.toFixed(1) : Math.round(ms)} ms`
}
