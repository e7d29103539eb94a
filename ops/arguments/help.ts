/** The end of a command's help: examples, and the JSON that it prints. */
import type { Command } from 'commander'

export interface HelpText {
  readonly examples: readonly string[]
  /** Shape of the document under `--json`, with one line a remark. */
  readonly json: readonly string[]
  readonly exit?: string
}

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
