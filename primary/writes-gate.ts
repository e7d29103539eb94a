/**
 * Decides which commands this primary takes.
 *
 * | condition | commands taken |
 * |---|---|
 * | stopping, a stalled log, or no witness has confirmed the position of this boot | none |
 * | clock in doubt, or disk full | essential ones: revocations, and what leases wait for |
 * | otherwise | all |
 *
 * When the position is first confirmed, the gate has an older schema migrated.
 */
import type { Clock } from '../shared/clock.ts'
import { reportOf } from '../shared/errors.ts'
import type { JudgedTime } from '../shared/freshness/credible-time.ts'
import type { Log } from '../shared/log.ts'
import { refusalError, type WritesState } from './api/refusals.ts'
import { type Command, ESSENTIAL } from './authority/commands.ts'
import type { CommitLog } from './commit-log/commit-log.ts'
import type { GroupWriter } from './commit-log/group-writer.ts'
import { type Agreement, type Joined, startAgreement, stepAgreement } from './commit-log/agreement.ts'

export interface WritesGateOptions {
  /** The replicas, and an archive on another disk. */
  readonly witnesses: () => readonly string[]
  /** True if the operator does not wait for a witness. */
  readonly alone: boolean
  readonly log: Log
  readonly commitLog: Pick<CommitLog, 'stalled' | 'room'>
  /** True once this process takes no more commands. */
  readonly stopping: () => boolean
  readonly time: () => JudgedTime
  /** Migrates once, before the first write of this process. An error in it ends the process. */
  readonly writer: Pick<GroupWriter, 'migrate' | 'submit'>
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** Called when `refusedReplicas` has a new entry. */
  readonly onReplicaRefused: () => void
  readonly onFatal: (error: unknown) => void
}

const REFUSAL_RECORDED_MS = 3_600_000

export class WritesGate {
  readonly #options: WritesGateOptions
  /** Refused replicas that have not been accepted since. A refused replica keeps retrying, but is recorded once (S10). */
  readonly #refusedReplicas = new Map<string, string>()
  /** The last audit record of each replica, and how often it was refused anew since. */
  readonly #recorded = new Map<string, { readonly atMs: number; more: number }>()
  #agreement: Agreement

  constructor(options: WritesGateOptions) {
    this.#options = options
    this.#agreement = startAgreement(options.witnesses(), options.alone)
  }

  /** The state of writes for ordinary commands; with several reasons, the strongest one. */
  get state(): WritesState {
    const { commitLog, time } = this.#options
    const { closedBy } = this
    if (closedBy === 'stopping' || closedBy === 'disk full') return closedBy
    if (commitLog.room.full) return 'disk full'
    if (!time().credible) return 'clock in doubt'
    return closedBy ?? 'open'
  }

  /** The state in which no command is taken, not even an essential one; undefined otherwise. */
  get closedBy(): 'stopping' | 'disk full' | 'unconfirmed' | undefined {
    if (this.#options.stopping()) return 'stopping'
    if (this.#options.commitLog.stalled) return 'disk full'
    return this.#agreement.confirmed ? undefined : 'unconfirmed'
  }

  /** The state that keeps a command of this kind from being taken; undefined if it is taken. */
  refusal(kind: Command['kind']): Exclude<WritesState, 'open'> | undefined {
    if (ESSENTIAL.has(kind)) return this.closedBy
    const { state } = this
    return state === 'open' ? undefined : state
  }

  /** Throws write_unconfirmed, clock_implausible, disk_full or closed. */
  require(kind: Command['kind']): void {
    const refusal = this.refusal(kind)
    if (refusal !== undefined) throw refusalError(refusal)
  }

  /** True once a witness, or the operator, has confirmed the position of this boot. */
  get confirmed(): boolean {
    return this.#agreement.confirmed
  }

  /** The reason for each refused replica. */
  get refusedReplicas(): readonly (readonly [replica: string, message: string])[] {
    return [...this.#refusedReplicas]
  }

  /** True if this witness opened the writes. */
  joined(event: Joined): boolean {
    this.#refusedReplicas.delete(event.witness)
    const { witnesses, log, writer, onFatal } = this.#options
    const next = stepAgreement(this.#agreement, event, witnesses())
    const opens = next.confirmed && !this.#agreement.confirmed
    try {
      if (opens) writer.migrate()
    } catch (error) {
      onFatal(error)
      return false
    }
    this.#agreement = next
    if (opens) log.info(event, 'position confirmed: writes are open')
    return opens
  }

  /** Records a refused replica in the audit, once (S10). While the gate is closed, only the alarm shows the refusal. */
  recordRefusedReplica(replica: string, message: string): void {
    const { onReplicaRefused } = this.#options
    if (this.#refusedReplicas.has(replica)) return
    this.#refusedReplicas.set(replica, message)
    onReplicaRefused()
    this.#audit(replica, message)
  }

  /** One record an hour: a replica that is accepted and refused in turn must not fill the audit, which is kept for ever. */
  #audit(replica: string, refusal: string): void {
    const { log, writer, clock } = this.#options
    const last = this.#recorded.get(replica)
    const atMs = clock.monotonicMs()
    if (last !== undefined && atMs - last.atMs < REFUSAL_RECORDED_MS) return void (last.more += 1)
    this.#recorded.set(replica, { atMs, more: 0 })
    const times = last === undefined || last.more === 0 ? '' : ` (${last.more} more since the last record)`
    const command = {
      kind: 'replica.refused',
      actor: { text: `replica ${replica}` },
      message: `${refusal}${times}`,
    } as const
    writer
      .submit(command)
      .catch((error: unknown) =>
        log.warn({ error: reportOf(error) }, 'could not record the refused replica in the audit'),
      )
  }
}
