/**
 * Checks a running node's audit chain (S9): after every start from the last checked record, and completely with every scrub. It
 * works in slices, so that nothing waits for it. A broken chain raises an alarm, and stops nothing.
 *
 * A file beside the database has the last checked record. It shows if a checked record was replaced or deleted, even if all
 * later hashes were recomputed. It is no proof, because an attacker may replace the file too.
 */
import { timelineText } from '../id-schemas.ts'
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { turn, type Timers } from '../clock.ts'
import { AUDIT_START, type AuditHead, checkAuditSlice, hasAuditRecord } from '../database/audit-chain.ts'
import { MetaReader } from '../database/meta.ts'
import { reportOf } from '../errors.ts'
import { writeAtomically } from '../files/write-atomically.ts'
import type { Log } from '../log.ts'
import type { Database } from '../sqlite/open-database.ts'
import { sqliteError } from '../files/storage-errors.ts'
import type { AlarmBoard } from './alarm-board.ts'

export interface AuditWatchOptions {
  /** Path of the file with the last checked record. */
  readonly path: string
  /** Undefined while there is no database. It is called for every slice, because a snapshot may replace the database. */
  readonly db: () => Database | undefined
  /** True if pages may be older than the last checked record, as those of a replica are after a power cut. */
  readonly mayLag: boolean
  readonly timers: Pick<Timers, 'soon'>
  readonly alarms: Pick<AlarmBoard, 'set'>
  readonly log: Log
}

const content = z.object({
  timeline: timelineText,
  seq: z.number().int().nonnegative(),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
})
type Checked = z.infer<typeof content>

type Extent = 'whole' | 'since the last'

/** Runs one check at a time. A second request joins the running one, if that one checks enough. */
export class AuditWatch {
  readonly #options: AuditWatchOptions
  #running: { readonly extent: Extent; readonly done: Promise<void> } | undefined

  constructor(options: AuditWatchOptions) {
    this.#options = options
  }

  /** Checks the records since the last check. Never rejects. */
  sinceLast(signal: AbortSignal): Promise<void> {
    return this.#running?.done ?? this.#run('since the last', signal)
  }

  /** Checks the whole chain. Never rejects. */
  async whole(signal: AbortSignal): Promise<void> {
    if (this.#running?.extent === 'since the last') await this.#running.done
    return this.#running?.done ?? this.#run('whole', signal)
  }

  #run(extent: Extent, signal: AbortSignal): Promise<void> {
    const done = this.#check(extent, signal)
      .catch((error: unknown) => this.#setAlarm(reportOf(sqliteError(error, 'it cannot be read')).message))
      .finally(() => (this.#running = undefined))
    this.#running = { extent, done }
    return done
  }

  async #check(extent: Extent, signal: AbortSignal): Promise<void> {
    const { db, timers, mayLag } = this.#options
    const first = db()
    if (first === undefined) return
    const kept = readChecked(this.#options.path)
    const { timeline, auditSeq } = new MetaReader(first).read()
    const ours = kept?.timeline === timeline ? kept : undefined
    const isBehind = ours !== undefined && ours.seq > auditSeq
    if (ours !== undefined && !(isBehind && mayLag) && !hasAuditRecord(first, headOf(ours))) {
      return this.#setAlarm(`record ${ours.seq} is not the one that was checked before`)
    }
    let head = ours !== undefined && !isBehind && extent === 'since the last' ? headOf(ours) : AUDIT_START
    for (;;) {
      const own = db()
      // Another history has replaced this one. The next start, or the next scrub, checks it.
      if (own === undefined || new MetaReader(own).read().timeline !== timeline) return
      const slice = checkAuditSlice(own, head)
      head = slice.head
      if (slice.done) return this.#done(timeline, isBehind ? undefined : head, slice.problem)
      await turn(timers)
      if (signal.aborted) return
    }
  }

  /** `head` is undefined if the record checked before is to stay: the pages have not reached it again. */
  #done(timeline: string, head: AuditHead | undefined, problem: string | undefined): void {
    this.#setAlarm(problem)
    if (problem !== undefined || head === undefined) return
    const { seq, hash } = head
    const { path, log } = this.#options
    try {
      writeAtomically(
        path,
        JSON.stringify({ timeline, seq, hash: Buffer.from(hash).toString('hex') } satisfies Checked),
      )
    } catch (error) {
      // No harm: the next start only checks more records.
      log.warn({ error: reportOf(error) }, 'the last checked audit record could not be written down')
    }
  }

  #setAlarm(problem: string | undefined): void {
    this.#options.alarms.set('audit_broken', problem)
  }
}

/** Returns undefined if the file is missing or damaged; the chain is then checked from its beginning. */
function readChecked(path: string): Checked | undefined {
  try {
    return content.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    return undefined
  }
}

function headOf({ seq, hash }: Checked): AuditHead {
  return { seq, hash: Buffer.from(hash, 'hex') }
}
