/** `config check` and `config print`: check a configuration or a profile as a start would, and show the values in force. */
import type { Command } from 'commander'
import { stringify } from 'smol-toml'
import { addHelp } from '../arguments/help.ts'
import { failWith, findingDocuments, findingLines, findingsOfFile } from '../config/findings.ts'
import { type ConfigKind, kindOf, kindOption, readAs } from '../config/kinds.ts'
import { redacted } from '../config/redacted.ts'
import type { Terminal } from '../terminal.ts'

const NAMES: Readonly<Record<ConfigKind, string>> = {
  primary: 'the configuration of a primary',
  replica: 'the configuration of a replica',
  profile: 'a profile',
}

/** The options of both commands. */
interface ConfigOptions {
  readonly kind?: string
}

export function addConfig(parent: Command, terminal: Terminal): void {
  const config = parent.command('config').description('check and show configuration files and profiles')
  addCheck(config, terminal)
  addPrint(config, terminal)
}

function addCheck(config: Command, terminal: Terminal): void {
  const command = withFile(config.command('check'))
    .description('check a file, and the keys and folders that it names, as a node does when it starts')
    .action(async (file: string, options: ConfigOptions) => {
      const kind = kindOf(file, options.kind)
      const { errorIn } = await import('../../shared/config/checks.ts')
      const { findings } = await findingsOfFile(file, kind, 'files')
      const error = errorIn(findings)
      if (error !== undefined) return failWith(terminal, error, findings)
      const lines = [...findingLines(findings), `${file} is valid: ${NAMES[kind]}`]
      terminal.answer({ ok: true, kind, file, findings: findingDocuments(findings) }, lines)
    })
  addHelp(command, {
    examples: ['macaroond config check primary.toml', 'macaroond config check operator.toml --kind profile'],
    json: [
      '{"ok": true, "kind": "primary" | "replica" | "profile", "file", "findings": [{"severity": "warning", "code", "reason", "why", "action"}]}',
      'if one of the findings is an error: {"findings", "error": {"code", "message", "hint"}}',
    ],
  })
}

/** Adds `config print`. The values come from the schema, so every default is shown. */
function addPrint(config: Command, terminal: Terminal): void {
  const command = withFile(config.command('print'))
    .description('show the values in force, with defaults and absolute paths; keys are not shown')
    .action(async (file: string, options: ConfigOptions) => {
      const kind = kindOf(file, options.kind)
      const values = redacted(file, await readAs(kind, file))
      const lines = stringify(values).trimEnd().split('\n')
      terminal.answer({ kind, file, config: values }, kind === 'profile' ? lines : [SCHEDULES_IN_UTC, ...lines])
    })
  addHelp(command, {
    examples: ['macaroond config print replica.toml'],
    json: ['{"kind", "file", "config": {…}}, keys as in the file; schedules are in UTC'],
  })
}

/** A comment, so that the output is still a configuration file. */
const SCHEDULES_IN_UTC = '# schedules are in UTC'

function withFile(command: Command): Command {
  return command.argument('<file>', 'a TOML file').option(...kindOption)
}
