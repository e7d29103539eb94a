/**
 * What the authority has to write down before it may grant longer leases, or acknowledge revocations in a new epoch: tried
 * whenever something has changed, and again in a moment when a write was not taken.
 */
import type { CallOff, Timers } from '../../shared/clock.ts'
import { reportOf } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'
import type { Command } from '../authority/commands.ts'
import type { AuthorityState } from '../authority/state.ts'

export interface SettlingOptions {
  readonly state: () => AuthorityState
  readonly submit: (command: Command) => Promise<unknown>
  /** Whether these are taken now. */
  readonly open: () => boolean
  readonly leaseMs: number
  /** Whether the database remembers another configuration; `nudge` writes this one down. */
  readonly configurationDue: () => boolean
  readonly nudge: () => void
  /** Whether every configured replica has pages of this epoch on its disk. */
  readonly everyReplicaJoined: () => boolean
  /** The operator's word that no primary of an earlier epoch lives. */
  readonly oldPrimaryStopped: boolean
  readonly clock: Pick<Timers, 'after'>
  readonly log: Log
}

const AGAIN_MS = 500
const ACTOR = { text: 'primary' }

export class Settling {
  readonly #options: SettlingOptions
  #writing = false
  #closed = false
  #callOff: CallOff | undefined

  constructor(options: SettlingOptions) {
    this.#options = options
  }

  look(): void {
    const { submit, open, log } = this.#options
    const command = this.#due()
    if (this.#writing || this.#closed) return
    if (command === undefined) return this.#noteConfiguration()
    if (!open()) return this.#lookAgain()
    this.#writing = true
    submit(command)
      .then(() => log.info(command, 'written down'))
      .catch((error: unknown) => log.warn({ error: reportOf(error) }, `${command.kind} is not written down yet`))
      .finally(() => {
        this.#writing = false
        this.#lookAgain()
      })
  }

  /** Any other write takes it along; this is for a primary that is asked for nothing. */
  #noteConfiguration(): void {
    const { configurationDue, open, nudge } = this.#options
    if (!configurationDue()) return
    if (open()) nudge()
    this.#lookAgain()
  }

  close(): void {
    this.#closed = true
    this.#callOff?.()
  }

  #lookAgain(): void {
    this.#callOff?.()
    if (!this.#closed) this.#callOff = this.#options.clock.after(AGAIN_MS, () => this.look())
  }

  #due(): Command | undefined {
    const { state, leaseMs, oldPrimaryStopped, everyReplicaJoined } = this.#options
    const { leaseMsMax, settledEpoch, epoch } = state()
    if (leaseMsMax < leaseMs) return { kind: 'lease.raise', actor: ACTOR, leaseMs }
    if (settledEpoch >= epoch) return undefined
    if (oldPrimaryStopped) return { kind: 'epoch.settle', actor: ACTOR, because: '--old-primary-stopped' }
    return everyReplicaJoined() ? { kind: 'epoch.settle', actor: ACTOR, because: 'every replica joined' } : undefined
  }
}
