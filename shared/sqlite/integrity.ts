/** SQLite's own check of a whole database, for the scrub. */
import type { Database } from './open-database.ts'

/** Runs `PRAGMA integrity_check`; returns SQLite's first complaint, or undefined. Takes seconds for a gigabyte. */
export function integrityProblem(connection: Database): string | undefined {
  const rows = connection.pragma('integrity_check') as { readonly integrity_check: string }[]
  const [first] = rows
  return first?.integrity_check === 'ok' ? undefined : (first?.integrity_check ?? 'no answer')
}
