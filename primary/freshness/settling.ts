/**
 * Writes the records that the authority relies on: the longest lease before it is granted, the configuration, and that an epoch
 * has settled before revocations are acknowledged in it. It looks whenever something changes, and retries a refused write.
 */
import type { CallOff, Timers } from '../../shared/clock.ts'
import { reportOf } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'
import type { Command } from '../authority/commands.ts'
import type { AuthorityState } from '../authority/state.ts'

export interface SettlingOptions {
  readonly state: () => AuthorityState
  readonly submit: (command: Command) => Promise<unknown>
  /** True if such a write is taken now. */
  readonly open: () => boolean
  readonly leaseMs: number
  /** True if the database records another configuration; `nudge` writes this one. */
  readonly configurationDue: () => boolean
  readonly nudge: () => void
  /** True if every configured replica has pages of this epoch on its disk. */
  readonly everyReplicaJoined: () => boolean
  /** True if the operator says that no primary of an earlier epoch runs. */
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
      .then(() => log.info(command, 'recorded'))
      .catch((error: unknown) => log.warn({ error: reportOf(error) }, `${command.kind} is not recorded yet`))
      .finally(() => {
        this.#writing = false
        this.#lookAgain()
      })
  }

  /** Every write carries the configuration along. This covers a primary that has nothing else to write. */
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
