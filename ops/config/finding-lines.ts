import type { Finding } from '../../shared/config/checks.ts'

/** Two lines for each: what it is, and what to do. */
export function findingLines(findings: readonly Finding[]): readonly string[] {
  return findings.flatMap(({ severity, code, reason, action }) => [`${severity}: ${reason} (${code})`, `  ${action}`])
}
