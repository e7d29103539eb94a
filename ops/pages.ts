/**
 * Prints a long list page by page, as text or as one JSON document. Memory holds one page, the first lines come at once, and
 * the list ends when nobody reads it any more.
 */
import { reportOf } from '../shared/errors.ts'
import { exitStatusOf } from './exit-status.ts'
import { foldLine } from './fold.ts'
import { jsonLine, printable, type Terminal } from './terminal.ts'

/** One entry of a list: its document, and its lines of text. */
export interface Entry {
  readonly document: object
  readonly lines: readonly string[]
}

/** Yields the pages. The returned document follows the list in the JSON, for example with the place where to continue. */
export type Pages = AsyncGenerator<readonly Entry[], object>

export interface ListShape {
  /** Name of the list in the JSON. */
  readonly name: string
  /** Printed before the first entry of a text; undefined for none. */
  readonly header?: string | undefined
}

/** Throws the errors of the pages. Once a JSON document has begun, it is completed with the error instead. */
export async function printPages(terminal: Terminal, { name, header }: ListShape, pages: Pages): Promise<void> {
  const opening = `{${JSON.stringify(name)}:[`
  let printed = 0
  try {
    for (;;) {
      const { done, value } = await pages.next()
      if (done === true) return await end(terminal, printed === 0 ? opening : '', value)
      if (value.length === 0) continue
      const before = printed === 0 ? (terminal.json ? opening : lineOf(header)) : terminal.json ? ',' : ''
      printed += value.length
      if (!(await terminal.printPart(before + textOf(value, terminal)))) return void (await pages.return({}))
    }
  } catch (error) {
    if (!terminal.json || printed === 0) throw error
    terminal.status = exitStatusOf(error)
    await end(terminal, '', { error: reportOf(error) })
  }
}

/** Prints entries as they come, for a list without an end: in JSON one document a line. False if nobody reads them. */
export function printEntries(terminal: Terminal, entries: readonly Entry[]): Promise<boolean> {
  if (!terminal.json) return terminal.printPart(textOf(entries, terminal))
  return terminal.printPart(entries.map(({ document }) => `${jsonLine(document)}\n`).join(''))
}

function textOf(entries: readonly Entry[], { json, columns: width }: Terminal): string {
  if (json) return entries.map(({ document }) => jsonLine(document)).join(',')
  const shown = entries.flatMap(({ lines }) => lines.map(printable))
  const folded = width === undefined ? shown : shown.flatMap((line) => foldLine(line, width))
  return folded.map(lineOf).join('')
}

function lineOf(text: string | undefined): string {
  return text === undefined ? '' : `${text}\n`
}

async function end(terminal: Terminal, opening: string, rest: object): Promise<void> {
  if (!terminal.json) return
  const members = jsonLine(rest).slice(1)
  await terminal.printPart(`${opening}]${members === '}' ? '' : ','}${members}\n`)
}

/** One line with cells of a fixed width, because the widest cell of a long list is not known when its first line is printed. */
export function columns(cells: readonly string[], widths: readonly number[]): string {
  return cells
    .map((cell, index) => printable(cell).padEnd(widths[index] ?? 0))
    .join('  ')
    .trimEnd()
}
