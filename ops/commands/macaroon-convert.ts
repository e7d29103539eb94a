/** `macaroon convert`: writes macaroons in another format. Identifiers, caveats and signatures stay the same. */
import type { Command } from 'commander'
import type { TextFormat } from '../../shared/macaroon/text-codec.ts'
import { addHelp } from '../arguments/help.ts'
import { mandatory } from '../arguments/options.ts'
import type { Terminal } from '../terminal.ts'
import { readLines } from './macaroon-input.ts'
import { FORMAT_HELP, parseFormat, printed } from './macaroon-output.ts'

/** Adds `macaroon convert`. A line stays a line, so that bundles and lists of macaroons can be converted alike. */
export function addMacaroonConvert(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('convert')
    .description('write macaroons from stdin in another format; contents and signatures stay the same')
  mandatory(command, '--format <format>', FORMAT_HELP).action(async ({ format: name }: { readonly format: string }) => {
    const format: TextFormat = parseFormat(name)
    const lines = (await readLines(terminal)).map((line) => line.map(({ macaroon }) => printed(macaroon, format)))
    const joined = lines.map((line) => line.join('~'))
    terminal.answer({ macaroons: lines.flat(), format }, joined)
  })
  addHelp(command, {
    examples: ['macaroond macaroon convert --format v1 < macaroon.txt'],
    json: ['{"macaroons": [<text>, …], "format"}'],
  })
}
