/** The last part of every command's help: examples, the JSON that it prints, and its exit status. */
import type { Command } from 'commander'

export interface HelpText {
  readonly examples: readonly string[]
  /** The shape of the document under `--json`; then remarks, one a line. */
  readonly json: readonly string[]
  readonly exit?: string
}

/** Adds these parts below the options, where commander prints nothing of its own. */
export function addHelp(command: Command, { examples, json, exit }: HelpText): Command {
  const part = (title: string, lines: readonly string[]): string =>
    [title, ...lines.map((line) => `  ${line}`)].join('\n')
  const parts = [
    part('Examples:', examples),
    part('With --json:', json),
    ...(exit === undefined ? [] : [part('Exit status:', [exit])]),
  ]
  return command.addHelpText('after', `\n${parts.join('\n\n')}`)
}
