import type { Connection } from '../sqlite/connection.ts'

/** Timelines of every epoch this authority has had, the current one among them. */
export function readTimelines(db: Connection): ReadonlySet<string> {
  return new Set(db.prepare<[], string>('SELECT timeline FROM epochs').pluck().all())
}
