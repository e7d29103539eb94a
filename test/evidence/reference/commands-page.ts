/** docs/reference/commands.md: the help of every command, as commander prints it. */
import type { Command } from 'commander'
import { program } from '../../../ops/command-line.ts'
import { Terminal } from '../../../ops/terminal.ts'
import { capture } from '../../ops/streams.ts'

const COLUMNS = 110

export async function commandsPage(): Promise<string> {
  const root = await program(new Terminal(capture(), false), [])
  return [
    '# Commands',
    '',
    '<!-- made by `npm run evidence` from the help of the commands -->',
    '',
    'Every command prints its help with `--help`. Its answer goes to standard output and everything else to standard error.',
    'With `--json` the answer is one JSON document, and so is an error: `{"error": {"code", "message", "hint"?}}`.',
    '',
    'The exit status is 0 ok, 1 failed or malformed, 2 usage, 3 denied, 4 unavailable, 5 conflict, 6 degraded (`status` only).',
    '[errors.md](errors.md) has every code.',
    '',
    ...sectionOf(root, 'macaroond'),
    ...root.commands.flatMap((command) => sectionsOf(command, 'macaroond')),
  ].join('\n')
}

/** A command, and the commands below it. */
function sectionsOf(command: Command, parent: string): readonly string[] {
  const name = `${parent} ${command.name()}`
  const below = command.commands.flatMap((one) => sectionsOf(one, name))
  return [...sectionOf(command, name), ...below]
}

function sectionOf(command: Command, name: string): readonly string[] {
  return [`## ${name}`, '', '```text', helpOf(command), '```', '']
}

/** The help without the options that every command has; the first section has those. */
function helpOf(command: Command): string {
  let text = ''
  command.configureHelp({ showGlobalOptions: false, helpWidth: COLUMNS })
  command.configureOutput({ writeOut: (chunk) => (text += chunk) })
  command.outputHelp()
  return text.replaceAll(/[ \t]+$/gm, '').trim()
}
