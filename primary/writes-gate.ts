/**
 * Decides what this primary takes: it must not be stopping, its log must have room, and a witness must have confirmed the
 * position that this boot started at. A clock in doubt and a full disk leave only what is pressing: what revokes, and what
 * leases wait for. The first confirmation migrates an older schema.
 */
import { reportOf } from '../shared/errors.ts'
import type { JudgedTime } from '../shared/freshness/credible-time.ts'
import type { Log } from '../shared/log.ts'
import { refusalIn, type WritesState } from './api/gate.ts'
import { type Command, PRESSING } from './authority/commands.ts'
import type { CommitLog } from './commit-log/commit-log.ts'
import type { GroupWriter } from './commit-log/group-writer.ts'
import { type Agreement, type Joined, startAgreement, stepAgreement } from './commit-log/agreement.ts'

export interface WritesGateOptions {
  /** Replicas, and an archive that lies elsewhere. */
  readonly witnesses: () => readonly string[]
  /** The operator waits for no witness. */
  readonly alone: boolean
  readonly log: Log
  readonly commitLog: Pick<CommitLog, 'stalled' | 'room'>
  /** This process takes nothing more. */
  readonly stopping: () => boolean
  readonly time: () => JudgedTime
  /** It migrates once, before the first write of this process. What that throws ends the process. */
  readonly writer: Pick<GroupWriter, 'migrate' | 'submit'>
  /** `refusals` has one more. */
  readonly onRefused: () => void
  readonly onFatal: (error: unknown) => void
}

export class WritesGate {
  readonly #options: WritesGateOptions
  /** Replicas that were refused and have not fitted since: each comes again and again, and is written down once (S10). */
  readonly #refused = new Map<string, string>()
  #agreement: Agreement

  constructor(options: WritesGateOptions) {
    this.#options = options
    this.#agreement = startAgreement(options.witnesses(), options.alone)
  }

  get state(): WritesState {
    const { commitLog, time } = this.#options
    const { shut } = this
    if (shut === 'stopping' || shut === 'disk full') return shut
    if (commitLog.room.full) return 'disk full'
    if (!time().credible) return 'clock in doubt'
    return shut ?? 'open'
  }

  /** What nothing is taken in, however pressing it is. */
  get shut(): 'stopping' | 'disk full' | 'unconfirmed' | undefined {
    if (this.#options.stopping()) return 'stopping'
    if (this.#options.commitLog.stalled) return 'disk full'
    return this.#agreement.confirmed ? undefined : 'unconfirmed'
  }

  /** Why a command of this kind is not taken now. */
  refusal(kind: Command['kind']): Exclude<WritesState, 'open'> | undefined {
    if (PRESSING.has(kind)) return this.shut
    const { state } = this
    return state === 'open' ? undefined : state
  }

  /** Throws write_unconfirmed, clock_implausible, disk_full or closed. */
  require(kind: Command['kind']): void {
    const refusal = this.refusal(kind)
    if (refusal !== undefined) throw refusalIn(refusal)
  }

  get confirmed(): boolean {
    return this.#agreement.confirmed
  }

  /** By replica: why it is refused. */
  get refusals(): readonly (readonly [replica: string, message: string])[] {
    return [...this.#refused]
  }

  /** True when this witness opened the writes. */
  joined(event: Joined): boolean {
    this.#refused.delete(event.witness)
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

  /** A claim that is not ours is written down once (S10); while writes are not open, the alarm is the only record. */
  refused(replica: string, message: string): void {
    const { log, writer, onRefused } = this.#options
    if (this.#refused.has(replica)) return
    this.#refused.set(replica, message)
    onRefused()
    const command = { kind: 'replica.refused', actor: { text: `replica ${replica}` }, message } as const
    writer
      .submit(command)
      .catch((error: unknown) => log.warn({ error: reportOf(error) }, 'the refusal is not in the audit'))
  }
}
