/** Reads the table `epochs`: number, timeline and first transaction of every epoch that this authority has had. */
import type { Entropy } from '../clock.ts'
import { type Epoch, timeline, type Timeline, txid, type Txid } from '../ids.ts'
import type { Database } from '../sqlite/open-database.ts'

/** The timelines of all epochs, the current one included. */
export function readTimelines(db: Database): ReadonlySet<string> {
  return new Set(db.prepare<[], string>('SELECT timeline FROM epochs').pluck().all())
}

/** The transaction that began an epoch. 0 for the first epoch, and if it is unknown. */
export function readBase(db: Database, epoch: Epoch): Txid {
  const base = db.prepare<[number], number>('SELECT base_txid FROM epochs WHERE epoch = ?').pluck().get(epoch)
  return txid(base ?? 0)
}

/** The number of each epoch, by its timeline. */
export function readEpochs(db: Database): ReadonlyMap<string, number> {
  const rows = db.prepare<[], { timeline: string; epoch: number }>('SELECT timeline, epoch FROM epochs').all()
  return new Map(rows.map(({ timeline, epoch }) => [timeline, epoch]))
}

/** 16 random bytes: no two epochs of any cluster have one timeline. */
export function newTimeline(entropy: Entropy): Timeline {
  return timeline(entropy.bytes(16).toString('hex'))
}
