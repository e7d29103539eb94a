/**
 * The table `forgotten`: revocations of undone histories that an operator gave up. They are named by history and number, never
 * by token. It is the only exception to "a token that was refused once is refused for ever". A later revocation of the same
 * token is still enforced.
 */
import { Numbers } from '../numbers.ts'
import type { Database } from '../sqlite/open-database.ts'

export interface Forgotten {
  readonly timeline: string
  /** Numbers of the first and the last revocation, both included. */
  readonly first: number
  readonly last: number
}

/** The whole row: it also records when and why an operator gave the revocations up, and who. */
export interface ForgottenRecord extends Forgotten {
  readonly at_ms: number
  readonly actor: string
  readonly reason: string
}

const SCHEMA_MIN = 5

/** Returned in the order in which they were given up. */
export function readForgotten(db: Database, schema: number): readonly Forgotten[] {
  if (schema < SCHEMA_MIN) return []
  return db.prepare<[], Forgotten>('SELECT timeline, first, last FROM forgotten ORDER BY seq').all()
}

export function readForgottenRecords(db: Database, schema: number): readonly ForgottenRecord[] {
  if (schema < SCHEMA_MIN) return []
  const query = 'SELECT timeline, first, last, at_ms, actor, reason FROM forgotten ORDER BY seq'
  return db.prepare<[], ForgottenRecord>(query).all()
}

/** For a restore. A record that exists is not inserted again. */
export function insertForgotten(
  db: Database,
  { timeline, first, last, at_ms: atMs, actor, reason }: ForgottenRecord,
): void {
  const isThere = db.prepare('SELECT 1 FROM forgotten WHERE timeline = ? AND first = ? AND last = ?')
  if (isThere.get(timeline, first, last) !== undefined) return
  const insert = db.prepare(
    'INSERT INTO forgotten (timeline, first, last, at_ms, actor, reason) VALUES (?, ?, ?, ?, ?, ?)',
  )
  insert.run(timeline, first, last, atMs, actor, reason)
}

/** The forgotten revocations as a set, looked up by history and number. */
export class ForgottenNumbers {
  readonly #timelines = new Map<string, Numbers>()

  constructor(all: readonly Forgotten[]) {
    for (const one of all) this.add(one)
  }

  add({ timeline, first, last }: Forgotten): void {
    const numbers = this.#timelines.get(timeline) ?? new Numbers()
    this.#timelines.set(timeline, numbers)
    numbers.add(first, last)
  }

  has({ timeline, seq }: { readonly timeline: string; readonly seq: number }): boolean {
    return this.#timelines.get(timeline)?.has(seq) === true
  }
}
