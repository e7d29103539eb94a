/**
 * Checks a running node's audit chain (S9): after every start from the last checked record, and completely with every scrub. It
 * works in slices, so that nothing waits for it. A broken chain raises an alarm, and stops nothing.
 *
 * A file beside the database has the last checked record. It shows if a checked record was replaced, even if all later hashes
 * were recomputed. It is no proof, because an attacker may replace the file too.
 */
import { timelineText } from '../ids.ts'
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

/** Runs one check at a time; a second request joins the running one. */
export class AuditWatch {
  readonly #options: AuditWatchOptions
  #running: Promise<void> | undefined

  constructor(options: AuditWatchOptions) {
    this.#options = options
  }

  /** Checks the records since the last check. Never rejects. */
  sinceLast(signal: AbortSignal): Promise<void> {
    return this.#joinRunning(() => this.#check('since the last', signal))
  }

  /** Checks the whole chain. Never rejects. */
  whole(signal: AbortSignal): Promise<void> {
    return this.#joinRunning(() => this.#check('whole', signal))
  }

  #joinRunning(check: () => Promise<void>): Promise<void> {
    this.#running ??= check()
      .catch((error: unknown) => this.#setAlarm(reportOf(sqliteError(error, 'it cannot be read')).message))
      .finally(() => (this.#running = undefined))
    return this.#running
  }

  async #check(how: 'whole' | 'since the last', signal: AbortSignal): Promise<void> {
    const { db, timers } = this.#options
    const first = db()
    if (first === undefined) return
    const kept = readChecked(this.#options.path)
    const { timeline, auditSeq } = new MetaReader(first).read()
    const isSame = kept !== undefined && kept.timeline === timeline && kept.seq <= auditSeq
    if (isSame && !hasAuditRecord(first, headOf(kept))) {
      return this.#setAlarm(`record ${kept.seq} is not the one that was checked before`)
    }
    let head = isSame && how === 'since the last' ? headOf(kept) : AUDIT_START
    for (;;) {
      const own = db()
      // Another history has replaced this one. The next start, or the next scrub, checks it.
      if (own === undefined || new MetaReader(own).read().timeline !== timeline) return
      const slice = checkAuditSlice(own, head)
      head = slice.head
      if (slice.done) return this.#done(timeline, head, slice.problem)
      await turn(timers)
      if (signal.aborted) return
    }
  }

  #done(timeline: string, { seq, hash }: AuditHead, problem: string | undefined): void {
    this.#setAlarm(problem)
    if (problem !== undefined) return
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
