import { type Epoch, txid, type Txid } from '../ids.ts'
import type { Database } from '../sqlite/open-database.ts'

/** Timelines of every epoch this authority has had, the current one among them. */
export function readTimelines(db: Database): ReadonlySet<string> {
  return new Set(db.prepare<[], string>('SELECT timeline FROM epochs').pluck().all())
}

/** The transaction that began an epoch. 0 in the first one, and where nothing says it. */
export function readBase(db: Database, epoch: Epoch): Txid {
  const base = db.prepare<[number], number>('SELECT base_txid FROM epochs WHERE epoch = ?').pluck().get(epoch)
  return txid(base ?? 0)
}

/** Number of every epoch, by timeline. */
export function readEpochs(db: Database): ReadonlyMap<string, number> {
  const rows = db.prepare<[], { timeline: string; epoch: number }>('SELECT timeline, epoch FROM epochs').all()
  return new Map(rows.map(({ timeline, epoch }) => [timeline, epoch]))
}
