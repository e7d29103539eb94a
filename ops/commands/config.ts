/** `config check` and `config print`: check a configuration or a profile as a start would, and show the values in force. */
import type { Command } from 'commander'
import { stringify } from 'smol-toml'
import { suggest } from '../../shared/suggest.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { addHelp } from '../arguments/help.ts'
import { configKinds, type ConfigKind, kindOfFile, readAs } from '../config/kinds.ts'
import { redacted } from '../config/redacted.ts'
import type { Terminal } from '../terminal.ts'
import type { Finding } from '../../shared/config/checks.ts'

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
      const kind = kindOf(file, options)
      // The checks of a start, from the same list: what passes here does not fail there.
      const { errorIn, findingsOf } = await import('../../shared/config/checks.ts')
      const findings = await findingsOf({ file, config: await readAs(kind, file) })
      const error = errorIn(findings)
      if (error !== undefined) return fail(terminal, error, findings)
      const lines = [...findingLines(findings), `${file} is valid: ${NAMES[kind]}`]
      terminal.answer({ ok: true, kind, file, findings }, lines)
    })
  addHelp(command, {
    examples: ['macaroond config check primary.toml', 'macaroond config check operator.toml --kind profile'],
    json: [
      '{"ok": true, "kind": "primary" | "replica" | "profile", "file", "findings": [{"severity": "warning", "code", "reason", "action"}]}',
      'if one of the findings is an error: {"findings", "error": {"code", "message", "hint"}}',
    ],
  })
}

/** Prints all findings. The first error comes last and decides the exit status. */
function fail(terminal: Terminal, error: MacaroondError, findings: readonly Finding[]): void {
  // The error is a finding too; it is printed last, as every command prints its error.
  const others = findings.filter(({ reason }) => reason !== error.message)
  for (const line of terminal.json ? [] : findingLines(others)) terminal.say(line)
  terminal.fail(error, { findings })
}

/** Adds `config print`. The values come from the schema, so every default is shown. */
function addPrint(config: Command, terminal: Terminal): void {
  const command = withFile(config.command('print'))
    .description('show the values in force, with defaults and absolute paths; keys are not shown')
    .action(async (file: string, options: ConfigOptions) => {
      const kind = kindOf(file, options)
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
  return command
    .argument('<file>', 'a TOML file')
    .option('--kind <kind>', 'primary, replica or profile (default: recognised by the keys in the file)')
}

/** The kind from `--kind`, else from the file. Throws usage. */
function kindOf(file: string, { kind }: ConfigOptions): ConfigKind {
  if (kind === undefined) return kindOfFile(file)
  const known = configKinds.find((candidate) => candidate === kind)
  if (known !== undefined) return known
  const near = suggest(kind, configKinds)
  throw new MacaroondError('usage', `--kind is one of ${configKinds.join(', ')}, not ${kind.slice(0, 80)}`, {
    hint:
      near === undefined
        ? 'leave it out: macaroond recognises the kind by the keys in the file'
        : `did you mean ${near}?`,
  })
}

/** Two lines for each finding: the reason, and the action for the operator. A start logs the same findings. */
function findingLines(findings: readonly Finding[]): readonly string[] {
  return findings.flatMap(({ severity, code, reason, action }) => [`${severity}: ${reason} (${code})`, `  ${action}`])
}
