/** Reads the table `epochs`: number, timeline and first transaction of every epoch that this authority has had. */
import type { Entropy } from '../clock.ts'
import { epoch, type Epoch, timeline, type Timeline, txid, type Txid } from '../ids.ts'
import type { Database } from '../sqlite/open-database.ts'

/** The timelines of all epochs, the current one included. */
export function readTimelines(db: Database): ReadonlySet<string> {
  return new Set(db.prepare<[], string>('SELECT timeline FROM epochs').pluck().all())
}

/** The transaction that began each epoch, ascending by epoch. 0 for the first epoch. */
export function readBases(db: Database): ReadonlyMap<Epoch, Txid> {
  const rows = db.prepare<[], { epoch: number; base: number }>('SELECT epoch, base_txid AS base FROM epochs').all()
  const ascending = rows.toSorted((a, b) => a.epoch - b.epoch)
  return new Map(ascending.map(({ epoch: number, base }) => [epoch(number), txid(base)]))
}

/** The number of each epoch, by its timeline. */
export function readEpochs(db: Database): ReadonlyMap<string, number> {
  const rows = db.prepare<[], { timeline: string; epoch: number }>('SELECT timeline, epoch FROM epochs').all()
  return new Map(rows.map((row) => [row.timeline, row.epoch]))
}

/** 16 random bytes: no two epochs of any cluster have one timeline. */
export function newTimeline(entropy: Entropy): Timeline {
  return timeline(entropy.bytes(16).toString('hex'))
}
