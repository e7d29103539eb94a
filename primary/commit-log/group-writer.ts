/**
 * Group commit: commands that arrive together share one transaction, one segment and one fsync, and are answered together.
 * A command that cannot be done is refused alone; the others of its group go on.
 */
import type { Clock, Entropy, Timers } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { GROUP_COMMANDS_MAX, WRITES_QUEUED_MAX } from '../../shared/limits.ts'
import type { Position } from '../../shared/position.ts'
import type { Kek } from '../../shared/sealing.ts'
import type { Answer, Command } from '../authority/commands.ts'
import type { Row } from '../authority/rows.ts'
import type { AuthorityState } from '../authority/state.ts'
import { step } from '../authority/step.ts'

export interface Committed<T extends Answer = Answer> {
  readonly answer: T
  readonly position: Position
}

/** The database side: one transaction around what `body` writes. */
export interface TransactionPort {
  readonly begin: () => void
  readonly write: (row: Row) => void
  /** Bumps txid, commits, captures and logs; returns the new position. */
  readonly commit: (state: AuthorityState) => Position
  readonly rollback: () => void
  /** State as the database has it. */
  readonly reload: () => AuthorityState
}

export interface GroupWriterOptions {
  readonly port: TransactionPort
  readonly clock: Pick<Clock, 'wallMs'> & Pick<Timers, 'after' | 'soon'>
  readonly entropy: Entropy
  readonly kek: Kek
  /** Throws when writes are not taken now (not confirmed by a replica, disk full, stopping). */
  readonly gate: () => void
  /** An error after which nothing may be written any more. */
  readonly onFatal: (error: unknown) => void
}

interface Pending {
  readonly command: Command
  readonly resolve: (committed: Committed) => void
  readonly reject: (error: unknown) => void
}

/** While groups are full of company, waiting this long makes them larger; a lone writer never waits. */
const COLLECT_MS = 1

export class GroupWriter {
  readonly #options: GroupWriterOptions
  #state: AuthorityState
  /** Revocations: they go ahead of everything, and a flood of mints keeps none of them out (V5). */
  #urgent: Pending[] = []
  #queue: Pending[] = []
  #scheduled = false
  #lastGroup = 0

  constructor(options: GroupWriterOptions) {
    this.#options = options
    this.#state = options.port.reload()
  }

  /** Read only: what the authority knows now, all of it committed. */
  get state(): AuthorityState {
    return this.#state
  }

  /** Resolves when the command's transaction is fsynced here and in the segment log. */
  submit<T extends Answer>(command: Command): Promise<Committed<T>> {
    return new Promise((resolve, reject) => {
      this.#options.gate()
      const queue = isUrgent(command) ? this.#urgent : this.#queue
      if (queue.length >= WRITES_QUEUED_MAX) {
        throw new MacaroondError('overloaded', 'too many writes are waiting', { hint: 'try again in a second' })
      }
      queue.push({ command, resolve: resolve as Pending['resolve'], reject })
      this.#schedule()
    })
  }

  get #waiting(): number {
    return this.#urgent.length + this.#queue.length
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    const flush = (): void => this.#flush()
    const { clock } = this.#options
    if (this.#lastGroup > 1 && this.#waiting < GROUP_COMMANDS_MAX) clock.after(COLLECT_MS, flush)
    else clock.soon(flush)
  }

  #flush(): void {
    this.#scheduled = false
    const urgent = this.#urgent.splice(0, GROUP_COMMANDS_MAX)
    const group = [...urgent, ...this.#queue.splice(0, GROUP_COMMANDS_MAX - urgent.length)]
    this.#lastGroup = group.length
    if (group.length > 0) this.#commit(group)
    if (this.#waiting > 0) this.#schedule()
  }

  #commit(group: readonly Pending[]): void {
    const { port } = this.#options
    const done: { pending: Pending; answer: Answer }[] = []
    try {
      this.#options.gate()
      port.begin()
    } catch (error) {
      for (const { reject } of group) reject(error)
      return
    }
    try {
      for (const pending of group) {
        const answer = this.#decide(pending)
        if (answer !== undefined) done.push({ pending, answer })
      }
      if (done.length === 0) return port.rollback()
      const position = port.commit(this.#state)
      for (const { pending, answer } of done) pending.resolve({ answer, position })
    } catch (error) {
      this.#abandon(group, error)
    }
  }

  /** The answer, or nothing when this command alone was refused. */
  #decide(pending: Pending): Answer | undefined {
    const { clock, entropy, kek, port } = this.#options
    let outcome
    try {
      outcome = step(this.#state, pending.command, { wallMs: clock.wallMs(), entropy, kek })
    } catch (error) {
      pending.reject(error)
      return undefined
    }
    for (const row of outcome.rows) port.write(row)
    return outcome.answer
  }

  /** Those already refused stay refused with their own reason: a promise settles once. */
  #abandon(group: readonly Pending[], error: unknown): void {
    for (const { reject } of group) reject(error)
    try {
      this.#options.port.rollback()
      this.#state = this.#options.port.reload()
    } catch (second) {
      this.#options.onFatal(second)
    }
  }
}

function isUrgent({ kind }: Command): boolean {
  return kind === 'token.revoke'
}
