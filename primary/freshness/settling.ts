/**
 * Writes the records that the authority relies on: the longest freshness lease, before the first of that length is granted;
 * that the epoch has settled, before a revocation is acknowledged in it; and the configuration. `check` runs whenever
 * something changes, and retries a refused write.
 */
import type { CallOff, Timers } from '../../shared/clock.ts'
import { reportOf } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'
import type { Command } from '../authority/commands.ts'
import type { AuthorityState } from '../authority/state.ts'

export interface SettlingOptions {
  readonly state: () => AuthorityState
  readonly submit: (command: Command) => Promise<unknown>
  /** True if the primary takes such a write now. */
  readonly writesOpen: () => boolean
  readonly leaseMs: number
  /** True if the database does not record the present configuration. */
  readonly configurationDue: () => boolean
  /** Makes the writer commit what is due, even if no command waits. */
  readonly nudge: () => void
  /** True if every configured replica has pages of this epoch on its disk. */
  readonly everyReplicaJoined: () => boolean
  /** True if the operator says that no primary of an earlier epoch runs. */
  readonly oldPrimaryStopped: boolean
  readonly clock: Pick<Timers, 'after'>
  readonly log: Log
}

const RETRY_MS = 500
const ACTOR = { text: 'primary' }

export class Settling {
  readonly #options: SettlingOptions
  #writing = false
  #closed = false
  #callOff: CallOff | undefined

  constructor(options: SettlingOptions) {
    this.#options = options
  }

  check(): void {
    const { submit, writesOpen, log } = this.#options
    const command = this.#dueCommand()
    if (this.#writing || this.#closed) return
    if (command === undefined) return this.#noteConfiguration()
    if (!writesOpen()) return this.#checkAgain()
    this.#writing = true
    submit(command)
      .then(() => log.info(command, 'recorded'))
      .catch((error: unknown) => log.warn({ error: reportOf(error) }, `${command.kind} is not recorded yet`))
      .finally(() => {
        this.#writing = false
        this.#checkAgain()
      })
  }

  /** Has the configuration written. Every group of writes includes it, so this matters only if no other command waits. */
  #noteConfiguration(): void {
    const { configurationDue, writesOpen, nudge } = this.#options
    if (!configurationDue()) return
    if (writesOpen()) nudge()
    this.#checkAgain()
  }

  close(): void {
    this.#closed = true
    this.#callOff?.()
  }

  #checkAgain(): void {
    this.#callOff?.()
    if (!this.#closed) this.#callOff = this.#options.clock.after(RETRY_MS, () => this.check())
  }

  #dueCommand(): Command | undefined {
    const { state, leaseMs, oldPrimaryStopped, everyReplicaJoined } = this.#options
    const { leaseMsMax, settledEpoch, epoch } = state()
    if (leaseMsMax < leaseMs) return { kind: 'lease.raise', actor: ACTOR, leaseMs }
    if (settledEpoch >= epoch) return undefined
    if (oldPrimaryStopped) return { kind: 'epoch.settle', actor: ACTOR, because: '--old-primary-stopped' }
    return everyReplicaJoined() ? { kind: 'epoch.settle', actor: ACTOR, because: 'every replica joined' } : undefined
  }
}
