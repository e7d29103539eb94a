import type { Database } from './open-database.ts'

/** SQLite's own check of the whole database: what is wrong, in its words, or undefined. Takes seconds for a gigabyte. */
export function integrityProblem(connection: Database): string | undefined {
  const rows = connection.pragma('integrity_check') as { readonly integrity_check: string }[]
  const [first] = rows
  return first?.integrity_check === 'ok' ? undefined : (first?.integrity_check ?? 'no answer')
}
