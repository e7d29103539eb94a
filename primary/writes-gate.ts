/**
 * Decides whether this primary takes writes: it must not be stopping, its log must have room, its time must be believed, and
 * a witness must have confirmed the position that this boot started at. The first confirmation migrates an older schema.
 */
import { reportOf } from '../shared/errors.ts'
import type { JudgedTime } from '../shared/freshness/credible-time.ts'
import type { Log } from '../shared/log.ts'
import type { WritesState } from './api/gate.ts'
import type { Command } from './authority/commands.ts'
import { type Agreement, type Joined, startAgreement, stepAgreement } from './commit-log/agreement.ts'

export interface WritesGateOptions {
  /** Replicas, and an archive that lies elsewhere. */
  readonly witnesses: () => readonly string[]
  /** The operator waits for no witness. */
  readonly alone: boolean
  readonly log: Log
  /** The last transaction is committed, and a full disk keeps it out of the segment log. */
  readonly stalled: () => boolean
  readonly time: () => JudgedTime
  /** Called once, before the first write of this process. What it throws ends the process. */
  readonly migrate: () => void
  readonly submit: (command: Command) => Promise<unknown>
  /** `refusals` has one more. */
  readonly onRefused: () => void
  readonly onFatal: (error: unknown) => void
}

export class WritesGate {
  readonly #options: WritesGateOptions
  /** Replicas that were refused and have not fitted since: each comes again and again, and is written down once (S10). */
  readonly #refused = new Map<string, string>()
  #agreement: Agreement
  #stopping = false

  constructor(options: WritesGateOptions) {
    this.#options = options
    this.#agreement = startAgreement(options.witnesses(), options.alone)
  }

  get state(): WritesState {
    if (this.#stopping) return 'stopping'
    if (this.#options.stalled()) return 'disk full'
    if (!this.#options.time().credible) return 'clock in doubt'
    return this.#agreement.confirmed ? 'open' : 'unconfirmed'
  }

  get confirmed(): boolean {
    return this.#agreement.confirmed
  }

  /** By replica: why it is refused. */
  get refusals(): readonly (readonly [replica: string, message: string])[] {
    return [...this.#refused]
  }

  get stopping(): boolean {
    return this.#stopping
  }

  stop(): void {
    this.#stopping = true
  }

  /** True when this witness opened the writes. */
  joined(event: Joined): boolean {
    this.#refused.delete(event.witness)
    const { witnesses, log, migrate, onFatal } = this.#options
    const next = stepAgreement(this.#agreement, event, witnesses())
    const opens = next.confirmed && !this.#agreement.confirmed
    try {
      if (opens) migrate()
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
    const { log, submit, onRefused } = this.#options
    if (this.#refused.has(replica)) return
    this.#refused.set(replica, message)
    onRefused()
    const command = { kind: 'replica.refused', actor: { text: `replica ${replica}` }, message } as const
    submit(command).catch((error: unknown) => log.warn({ error: reportOf(error) }, 'the refusal is not in the audit'))
  }
}
