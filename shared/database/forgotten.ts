/**
 * The table `forgotten`: revocations of undone histories that an operator gave up, by history and number, never by token. It is
 * the one exception to "what was refused once is refused for ever"; a later revocation acts all the same.
 */
import type { Connection } from '../sqlite/connection.ts'

export interface Forgotten {
  readonly timeline: string
  /** Both included. */
  readonly first: number
  readonly last: number
}

const SCHEMA_MIN = 5

/** In the order in which they were given up. */
export function readForgotten(db: Connection, schema: number): readonly Forgotten[] {
  if (schema < SCHEMA_MIN) return []
  return db.prepare<[], Forgotten>('SELECT timeline, first, last FROM forgotten ORDER BY seq').all()
}

export function isForgotten(
  all: readonly Forgotten[],
  { timeline, seq }: { readonly timeline: string; readonly seq: number },
): boolean {
  return all.some((one) => one.timeline === timeline && one.first <= seq && seq <= one.last)
}
