/** The findings of a configuration check as `config check` prints them. A start logs the same findings. */
import type { Finding } from '../../shared/config/checks.ts'

/** Two lines for each finding: the reason, and the action for the operator. */
export function findingLines(findings: readonly Finding[]): readonly string[] {
  return findings.flatMap(({ severity, code, reason, action }) => [`${severity}: ${reason} (${code})`, `  ${action}`])
}
