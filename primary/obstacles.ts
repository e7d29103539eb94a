/**
 * Watches for obstacles to the primary's writes: a clock in doubt, a full disk, a database that takes no revocation. While no
 * revocation can be written, no lease is granted (V8). The start and the end of each obstacle are noted in the audit. A note
 * that cannot be written is retried, and a written note also proves that the database takes writes again.
 */
import type { Clock } from '../shared/clock.ts'
import { MacaroondError, reportOf } from '../shared/errors.ts'
import type { Log } from '../shared/log.ts'
import type { CommandOf, NoteAction } from './authority/commands.ts'
import type { CommitLog } from './commit-log/commit-log.ts'
import { isDiskFull } from './commit-log/disk-room.ts'
import type { Attempt, GroupWriter } from './commit-log/group-writer.ts'
import type { AuthorityClock } from './freshness/authority-clock.ts'
import { forbidsLeases, type Obstacle, type ObstacleEvent, stepObstacle } from './freshness/obstacle.ts'
import type { WritesGate } from './writes-gate.ts'

type Note = CommandOf<'audit.note'>

export interface ObstaclesOptions {
  readonly commitLog: Pick<CommitLog, 'room' | 'canBegin' | 'stalled'>
  readonly authorityClock: Pick<AuthorityClock, 'time' | 'moment'>
  /** The bound B: revocations bind within this time. */
  readonly boundMs: number
  readonly writer: Pick<GroupWriter, 'submit' | 'appendDueCutOffs'>
  readonly gate: Pick<WritesGate, 'refusal' | 'closedBy'>
  /** Called when an obstacle begins or ends. */
  readonly onChange: () => void
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly log: Log
}

interface Condition {
  readonly begins: NoteAction
  readonly ends: NoteAction
  /** The reason while the condition lasts; undefined otherwise. */
  readonly why: () => string | undefined
}

const ACTOR = { text: 'primary' } as const
/** The most notes that wait to be written. Beyond this the oldest is dropped, because the log has the alarms too. */
const NOTES_MAX = 64
/** The most records of operations that wait to be written. An operator who reloads more often has the rest in the log. */
const RECORDS_MAX = 1_000

export class Obstacles {
  readonly #options: ObstaclesOptions
  readonly #conditions: readonly Condition[]
  /** Start of each present condition, in the authority's time. */
  readonly #since = new Map<Condition, number>()
  readonly #notes: Note[] = []
  /** Records of operations. They have a queue of their own, so that no note on an obstacle takes their place. */
  readonly #records: Note[] = []
  #writingRecords: Promise<void> = Promise.resolve()
  #obstacle: Obstacle | undefined
  #writing = false

  constructor(options: ObstaclesOptions) {
    this.#options = options
    this.#conditions = [
      { begins: 'clock.doubted', ends: 'clock.believed', why: () => this.#doubt() },
      { begins: 'disk.full', ends: 'disk.free', why: () => this.#full() },
      { begins: 'revocations.blocked', ends: 'revocations.taken', why: () => this.blockedBy },
    ]
  }

  /** The reason why this primary can write no revocation, and so grants no lease; undefined if it can. */
  get blockedBy(): string | undefined {
    const { commitLog, boundMs, clock } = this.#options
    if (commitLog.stalled) return 'the last transaction does not fit into the segment log'
    if (commitLog.room.exhausted) return 'the disk is full and its reserve is used up'
    return forbidsLeases(this.#obstacle, clock.monotonicMs(), boundMs) ? this.#obstacle?.message : undefined
  }

  /** True if leases are granted: only while revocations are taken (V8). */
  get grants(): boolean {
    return this.#options.gate.closedBy === undefined && this.blockedBy === undefined
  }

  /** Takes the result of each transaction. */
  attempted({ error, essential }: Attempt): void {
    if (isDiskFull(error)) this.#options.commitLog.room.noteFull()
    if (error === undefined) this.#step({ kind: 'taken' })
    else if (isLocked(error)) this.#step({ kind: 'locked' })
    else if (essential) this.#step({ kind: 'failed', message: reportOf(error).message })
    this.#noteChanges()
  }

  /** Called about once a second: probes the database, and writes the next note. */
  check(): void {
    const { authorityClock, writer } = this.#options
    if (this.#obstacle?.kind !== 'storage') this.#step(this.#probe())
    this.#noteChanges()
    if (authorityClock.time.credible) writer.appendDueCutOffs()
    this.#writeNext()
    if (this.#records.length > 0) void this.#writeRecords()
  }

  /**
   * Writes the record of an operation into the audit. Resolves with true once it is durable, and with false if it cannot be
   * written now. Then it is written as soon as it can be; a process that ends before that never writes it. Never rejects.
   */
  async record(note: Note): Promise<boolean> {
    this.#records.push(note)
    if (this.#records.length > RECORDS_MAX) this.#records.shift()
    await this.#writeRecords()
    return !this.#records.includes(note)
  }

  /** Writes the records in their order, up to the first that cannot be written now. */
  #writeRecords(): Promise<void> {
    this.#writingRecords = this.#writingRecords.then(async () => {
      for (let [note] = this.#records; note !== undefined; [note] = this.#records) {
        if (this.#options.gate.refusal('audit.note') !== undefined) return
        await this.#write(note, this.#records)
        if (this.#records[0] === note) return
      }
    })
    return this.#writingRecords
  }

  #writeNext(): void {
    const [note] = this.#notes
    if (note === undefined || this.#writing || this.#options.gate.refusal('audit.note') !== undefined) return
    this.#writing = true
    void this.#write(note, this.#notes).finally(() => (this.#writing = false))
  }

  #probe(): ObstacleEvent {
    try {
      return { kind: this.#options.commitLog.canBegin() ? 'taken' : 'locked' }
    } catch (error) {
      return { kind: 'failed', message: reportOf(error).message }
    }
  }

  /**
   * A lock becomes an obstacle when it outlasts the bound, and no event marks that time. So the present conditions are noted
   * first, because the event may end such a lock.
   */
  #step(event: ObstacleEvent): void {
    this.#noteChanges()
    this.#obstacle = stepObstacle(this.#obstacle, event, this.#options.clock.monotonicMs())
  }

  #doubt(): string | undefined {
    const { time } = this.#options.authorityClock
    return time.credible ? undefined : time.message
  }

  #full(): string | undefined {
    return this.#options.commitLog.room.full ? '' : undefined
  }

  #noteChanges(): void {
    const { authorityClock, onChange } = this.#options
    const { nowMs } = authorityClock.moment
    let changed = false
    for (const condition of this.#conditions) {
      const why = condition.why()
      const sinceMs = this.#since.get(condition)
      if ((why === undefined) === (sinceMs === undefined)) continue
      changed = true
      if (sinceMs === undefined) {
        this.#since.set(condition, nowMs)
        this.#note(condition.begins, { why: why ?? '', sinceMs: nowMs })
      } else {
        this.#since.delete(condition)
        this.#note(condition.ends, { sinceMs, untilMs: nowMs })
      }
    }
    if (changed) onChange()
  }

  #note(action: NoteAction, detail: Note['detail']): void {
    this.#queue({ kind: 'audit.note', actor: ACTOR, action, detail })
  }

  #queue(note: Note): void {
    this.#notes.push(note)
    if (this.#notes.length > NOTES_MAX) this.#notes.shift()
  }

  /** Removes the note from its queue once it is written. Never rejects. */
  async #write(note: Note, queue: Note[]): Promise<void> {
    const { writer, log } = this.#options
    try {
      await writer.submit(note)
      const index = queue.indexOf(note)
      if (index >= 0) queue.splice(index, 1)
    } catch (error) {
      log.debug({ action: note.action, error: reportOf(error) }, 'could not write an audit note; trying again')
    }
  }
}

/** True if another program held the write lock; `transactions.ts` throws this code. */
function isLocked(error: unknown): boolean {
  return error instanceof MacaroondError && error.code === 'overloaded'
}
