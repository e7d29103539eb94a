/** The findings of one configuration file, and how `config check` and `doctor` print them. */
import type { KekSources } from '../../shared/config/checks.ts'
import { type Finding, findingOfError, unique, whyOf } from '../../shared/config/finding.ts'
import type { MacaroondError } from '../../shared/errors.ts'
import type { Terminal } from '../terminal.ts'
import { type ConfigKind, examineAs, type ExaminedFile } from './kinds.ts'

export interface FileFindings extends Pick<ExaminedFile, 'config'> {
  readonly findings: readonly Finding[]
}

/** Every fault of the file, then those of the files and folders that its valid part names. */
export async function findingsOfFile(file: string, kind: ConfigKind, keks: KekSources): Promise<FileFindings> {
  const { config, faults } = await examineAs(kind, file)
  // The checks of a start, from the same list: what passes here does not fail there.
  const { findingsOf } = await import('../../shared/config/checks.ts')
  const findings = [...faults.map(findingOfError), ...(await findingsOf({ file, config }, keks))]
  return { config, findings: unique(findings) }
}

/** The document of a finding under `--json`. */
export function findingDocuments(findings: readonly Finding[]): readonly object[] {
  return findings.map((finding) => ({ ...finding, why: whyOf(finding) }))
}

/** Three lines for each finding: what, why it matters, and what to do. */
export function findingLines(findings: readonly Finding[]): readonly string[] {
  return findings.flatMap((finding) => {
    const { severity, code, reason, action } = finding
    return [`${severity}: ${reason} (${code})`, `  why: ${whyOf(finding)}`, `  do: ${action}`]
  })
}

/** Prints all findings. The first error decides the exit status; it comes last, as every command prints its error. */
export function failWith(terminal: Terminal, error: MacaroondError, findings: readonly Finding[]): void {
  const first = findings.find(({ reason }) => reason === error.message)
  const others = findings.filter((finding) => finding !== first)
  for (const line of terminal.json ? [] : findingLines(others)) terminal.say(line)
  terminal.fail(error, { findings: findingDocuments(findings) })
  if (!terminal.json && first !== undefined) terminal.say(`  why: ${whyOf(first)}`)
}
