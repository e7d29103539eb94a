/**
 * `macaroond doctor`: looks for everything that keeps a node or a caller from working, all at once, and says for each thing why
 * it matters and what to type.
 */
import type { Command } from 'commander'
import { addHelp } from '../arguments/help.ts'
import { mandatory } from '../arguments/options.ts'
import { optionalProfileOf } from '../clients.ts'
import { failWith, findingDocuments, findingLines } from '../config/findings.ts'
import { kindOption, kindOf } from '../config/kinds.ts'
import type { Terminal } from '../terminal.ts'

/** The options as commander parses them. */
interface DoctorOptions {
  readonly config: string
  readonly kind?: string
}

export function addDoctor(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('doctor')
    .description(
      'check a configuration or a profile with all that it needs: files, keys, database, disk, addresses, peers, clocks, archive',
    )
  mandatory(command, '--config <file>', 'the configuration of a node, or a profile (TOML)')
  command.option(...kindOption).action(async ({ config: file, kind: named }: DoctorOptions, own: Command) => {
    const kind = kindOf(file, named)
    const operator = optionalProfileOf(own, terminal.env)
    const [{ diagnose }, { errorIn }] = await Promise.all([
      import('../doctor/diagnose.ts'),
      import('../../shared/config/checks.ts'),
    ])
    const { findings, skipped } = await terminal.during('checking', () => diagnose(file, kind, operator))
    if (!terminal.json) for (const what of skipped) terminal.say(`not checked: ${what}`)
    const error = errorIn(findings)
    if (error !== undefined) return failWith(terminal, error, findings)
    const count = findings.length === 1 ? '1 warning' : `${findings.length} warnings`
    const result = findings.length === 0 ? 'nothing is wrong' : `${count}, and no error`
    const lines = [...findingLines(findings), `${file}: ${result}`]
    terminal.answer({ ok: true, kind, file, findings: findingDocuments(findings), skipped }, lines)
  })
  addHelp(command, {
    examples: [
      'macaroond doctor --config primary.toml',
      'macaroond doctor --config replica.toml --profile operator.toml',
      'macaroond doctor --config operator.toml',
    ],
    json: [
      '{"ok": true, "kind", "file", "findings": [{"severity": "warning", "code", "reason", "why", "action"}], "skipped": ["…"]}',
      'if one of the findings is an error: {"findings", "error": {"code", "message", "hint"}}',
    ],
    exit: '0 without an error; else the status of the first error. Run it as the user that the node runs as',
  })
}
