/**
 * Writes commands in groups: commands that arrive together share one transaction, one segment and one fsync, and are answered
 * together. Invariant: a command is answered only after its transaction is in the database and in the segment log, and a
 * failed transaction leaves the state as it was.
 *
 * 1. A command that cannot be carried out is refused alone, and the rest of its group is written.
 * 2. Commands that present tokens take long, so they come last in a group. Once deciding has taken `GROUP_DECIDING_MS_MAX`,
 *    the group ends, and its undecided commands wait for the next one.
 * 3. If the disk has no space for a group, the writer retries its essential commands alone.
 * 4. Due cut-offs are appended before any command that mints.
 */
import type { Clock, Entropy, Timers } from '../../shared/clock.ts'
import { assert, MacaroondError } from '../../shared/errors.ts'
import { GROUP_COMMANDS_MAX, GROUP_DECIDING_MS_MAX, RETRY_AFTER_MS } from '../../shared/limits.ts'
import type { Position } from '../../shared/position.ts'
import type { Kek } from '../../shared/sealing.ts'
import { type CommandAnswer, type Command, ESSENTIAL } from '../authority/commands.ts'
import type { Kid } from '../../shared/ids.ts'
import type { Row } from '../authority/rows.ts'
import type { AuthorityState } from '../authority/state.ts'
import { isDiskFull } from './disk-room.ts'
import { step, type Outcome } from '../authority/step.ts'
import { UnrecordedRate } from '../authority/unrecorded.ts'
import { isCostly, type Queued, shareOf, WriteQueues } from './write-queues.ts'
import type { AuthorityMoment } from '../freshness/authority-time.ts'
import type { Revocations } from '../../shared/verifier/revocations.ts'

export interface Committed<T extends CommandAnswer = CommandAnswer> {
  readonly answer: T
  /**
   * Position of the commit that contains the answer. For a repeated request id: the original commit, if the log still has it.
   */
  readonly position: Position
}

/** Revocations in memory up to `seq`. A reload does not read these again. */
export interface KnownRevocations {
  readonly revocations: Revocations
  readonly newestSeqs: AuthorityState['newestSeqs']
  readonly seq: number
}

/** The database side of the writer: one transaction at a time. */
export interface TransactionPort {
  readonly begin: () => void
  readonly write: (row: Row) => void
  /** Raises txid, commits and logs; returns the new position. `stampMs` reads the authority's time, after COMMIT. */
  readonly commit: (state: AuthorityState, stampMs: () => number) => Position
  readonly rollback: () => void
  /** Position of an earlier transaction; undefined if the log does not reach it. */
  readonly positionAt: (carriedOut: NonNullable<Outcome['carriedOut']>) => Position | undefined
  /** Migrates an older schema in a transaction of its own; false if there is nothing to migrate. */
  readonly migrate: (stampMs: () => number) => boolean
  /** Reads the state from the database. */
  readonly reload: (known?: KnownRevocations) => AuthorityState
}

export interface GroupWriterOptions {
  readonly port: TransactionPort
  readonly clock: Clock & Pick<Timers, 'after' | 'soon'>
  readonly entropy: Entropy
  readonly ring: readonly Kek[]
  /** Adds the database's records to a command, just before the command is decided. */
  readonly prepare?: (command: Command) => Command
  /** Called for an error after which nothing may be written any more. */
  readonly onFatal: (error: unknown) => void
}

/** Rules for commands. Most of them need the writer's state, so they are given after the writer is built. */
export interface WriterRules {
  readonly moment: () => AuthorityMoment
  /** The command that must be written before all others, if any. It comes first in the next group. */
  readonly due?: (state: AuthorityState) => Command | undefined
  /** Throws if this kind is not taken now: position unconfirmed, clock in doubt, disk full, or stopping. */
  readonly gate: (kind: Command['kind']) => void
  /** Called with the result of each transaction. */
  readonly onAttempt: (attempt: Attempt) => void
}

export interface Attempt {
  /** Undefined if it was committed. */
  readonly error: unknown
  /** True if the commands that failed include an essential one. */
  readonly essential: boolean
}

interface PendingCommand extends Queued {
  readonly signal: AbortSignal | undefined
  readonly resolve: (committed: Committed) => void
  readonly reject: (error: unknown) => void
}

/** The result of a transaction. */
interface TransactionResult {
  /** Undefined if it was committed. */
  readonly error: unknown
  /** The commands to refuse with the error. */
  readonly toRefuse: readonly PendingCommand[]
}

const COMMITTED: TransactionResult = { error: undefined, toRefuse: [] }
const ACTOR = { text: 'primary' } as const

/**
 * After a group of several commands the writer waits this long, so that the next group is larger. A command that is alone does
 * not wait.
 */
const COLLECT_MS = 1

export class GroupWriter {
  readonly #options: GroupWriterOptions
  #openRules: WriterRules | undefined
  readonly #dueSources: NonNullable<WriterRules['due']>[] = []
  #state: AuthorityState
  /** Revocations up to this number are committed and in memory. */
  #committedSeq: number
  readonly #queues = new WriteQueues<PendingCommand>()
  readonly #unrecorded: UnrecordedRate
  readonly #stampMs = (): number => this.#rules.moment().nowMs
  #scheduled = false
  #lastGroup = 0

  constructor(options: GroupWriterOptions) {
    this.#options = options
    this.#unrecorded = new UnrecordedRate(options.clock)
    this.#state = options.port.reload()
    this.#committedSeq = this.#state.revocationSeq
  }

  /** The authority's state, for reading. All of it is committed. */
  get state(): AuthorityState {
    return this.#state
  }

  /** Opens the writer: it takes commands after this. Call it once. */
  open(rules: WriterRules): void {
    assert(this.#openRules === undefined, 'a writer is opened once')
    this.#openRules = rules
  }

  /** Adds another source of due commands, for a part that is built after the rules. */
  addDueSource(due: NonNullable<WriterRules['due']>): void {
    this.#dueSources.push(due)
  }

  /**
   * Resolves when the command's transaction is fsynced and in the segment log. `signal` aborts when the caller is gone: a
   * command whose turn comes after that is not carried out. Throws what the gate throws, and overloaded.
   */
  submit<T extends CommandAnswer>(command: Command, signal?: AbortSignal): Promise<Committed<T>> {
    return new Promise((resolve, reject) => {
      this.#rules.gate(command.kind)
      const share = shareOf(command, (kid) => this.#state.keys.get(kid as Kid)?.org)
      const pending = { command, share, signal, resolve: resolve as PendingCommand['resolve'], reject }
      for (const { reject: refuse } of this.#queues.add(pending)) refuse(overloaded())
      this.#schedule()
    })
  }

  /** Schedules a group, so that due commands are written even if no other command waits. */
  nudge(): void {
    this.#schedule()
  }

  /** Called before the first write of this process, once its position is confirmed. An error ends the process. */
  migrate(): void {
    if (!this.#options.port.migrate(this.#stampMs)) return
    const { revocations, newestSeqs } = this.#state
    this.#state = this.#options.port.reload({ revocations, newestSeqs, seq: this.#committedSeq })
  }

  /**
   * Writes a command immediately, before this process ends. The gate still applies, because an unconfirmed disk may be an
   * older copy.
   */
  writeLast(command: Command): void {
    this.#commit([ownCommand(command)])
  }

  /** Schedules the due cut-offs, if there are any and time is believed. */
  appendDueCutOffs(): void {
    if (this.#mayAppendCutOffs()) this.#schedule()
  }

  get #rules(): WriterRules {
    assert(this.#openRules !== undefined, 'a writer takes no command before it is opened')
    return this.#openRules
  }

  #mayAppendCutOffs(): boolean {
    return this.#state.dueCutOffs.size > 0 && this.#rules.moment().believed !== undefined
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    const flush = (): void => this.#flush()
    const { clock } = this.#options
    if (this.#lastGroup > 1 && this.#queues.size < GROUP_COMMANDS_MAX) clock.after(COLLECT_MS, flush)
    else clock.soon(flush)
  }

  #flush(): void {
    this.#scheduled = false
    const dueBefore = this.#state.dueCutOffs.size
    const cutOffs = this.#mayAppendCutOffs() ? this.#dueCutOffs() : []
    const requested = cutOffs.length > 0 ? this.#queues.takeUrgent() : this.#queues.takeGroup()
    const group = [...this.#dueCommand(), ...cutOffs, ...requested.filter(isWanted)]
    this.#lastGroup = group.length
    if (group.length > 0) this.#commit(group)
    // If none was appended, `Obstacles.check` tries again about a second later.
    const appendsMore = this.#state.dueCutOffs.size < dueBefore && this.#mayAppendCutOffs()
    if (this.#queues.size > 0 || appendsMore) this.#schedule()
  }

  /** The first command that the primary itself must write, if any. It has no caller to answer. */
  #dueCommand(): readonly PendingCommand[] {
    const dues = [this.#rules.due, ...this.#dueSources]
    const command = dues.map((due) => due?.(this.#state)).find((due) => due !== undefined)
    return command === undefined ? [] : [ownCommand(command)]
  }

  /**
   * The commands that append the due cut-offs. No mint may precede them, so if one fails, all waiting mints are refused too.
   */
  #dueCutOffs(): readonly PendingCommand[] {
    const reject = (error: unknown): void => {
      for (const waiting of this.#queues.takeAllButUrgent()) waiting.reject(error)
    }
    const names: string[] = []
    for (const name of this.#state.dueCutOffs.keys()) if (names.push(name) === GROUP_COMMANDS_MAX) break
    return names.map((name) => ({ ...ownCommand({ kind: 'cut-off.again', actor: ACTOR, name }), reject }))
  }

  #commit(group: readonly PendingCommand[]): void {
    const admitted = group.filter((pending) => this.#admits(pending))
    if (admitted.length === 0) return
    const tried = this.#transact([...admitted])
    if (tried === undefined) return
    const again = essentialToRetry(tried)
    this.#report({ ...tried, toRefuse: tried.toRefuse.filter((pending) => !again.includes(pending)) })
    const triedLast = again.length === 0 ? undefined : this.#transact(again)
    if (triedLast !== undefined) this.#report(triedLast)
  }

  #admits({ command, reject }: PendingCommand): boolean {
    try {
      this.#rules.gate(command.kind)
      return true
    } catch (error) {
      reject(error)
      return false
    }
  }

  /** Reports the result of a transaction, and refuses its commands if it failed. */
  #report({ error, toRefuse }: TransactionResult): void {
    this.#rules.onAttempt({ error, essential: toRefuse.some(isEssential) })
    for (const { reject } of toRefuse) reject(error)
  }

  /** Runs one transaction. Undefined if every command was refused for its own reason. */
  #transact(group: PendingCommand[]): TransactionResult | undefined {
    const { port, clock } = this.#options
    try {
      port.begin()
    } catch (error) {
      return { error, toRefuse: group }
    }
    const done: { pending: PendingCommand; outcome: Outcome }[] = []
    const refused = new Set<PendingCommand>()
    const endMs = clock.monotonicMs() + GROUP_DECIDING_MS_MAX
    try {
      let decided = 0
      for (const pending of group) {
        decided += 1
        const outcome = this.#decide(pending)
        if (outcome === undefined) refused.add(pending)
        else done.push({ pending, outcome })
        if (isCostly(pending.command) && clock.monotonicMs() >= endMs) break
      }
      this.#queues.giveBack(group.splice(decided))
      if (done.length === 0) {
        port.rollback()
        return undefined
      }
      const position = port.commit(this.#state, this.#stampMs)
      this.#keepDecisions(position)
      for (const { pending, outcome } of done) {
        const earlier = outcome.carriedOut && port.positionAt(outcome.carriedOut)
        pending.resolve({ answer: outcome.answer, position: earlier ?? position })
      }
      return COMMITTED
    } catch (error) {
      this.#undo()
      return { error, toRefuse: group.filter((pending) => !refused.has(pending)) }
    }
  }

  /** Called after the commit: the decisions stay in the state, so their undo functions are dropped. */
  #keepDecisions({ txid }: Position): void {
    this.#state.txid = txid
    this.#state.undo.length = 0
    this.#committedSeq = this.#state.revocationSeq
  }

  /** Undefined if this command was refused. Its caller has then been answered. */
  #decide(pending: PendingCommand): Outcome | undefined {
    const { entropy, ring, port, prepare = unchanged } = this.#options
    let outcome: Outcome
    try {
      const parts = { entropy, ring, unrecorded: this.#unrecorded }
      outcome = step(this.#state, prepare(pending.command), { ...this.#rules.moment(), ...parts })
    } catch (error) {
      pending.reject(error)
      return undefined
    }
    for (const row of outcome.rows) port.write(row)
    return outcome
  }

  /**
   * Removes what this group added to the revocations in memory, and reloads the rest of the state. If the transaction was
   * committed despite the error, the reload reads its revocations from the database.
   */
  #undo(): void {
    const { revocations, newestSeqs, undo } = this.#state
    for (const takeBack of undo.toReversed()) takeBack()
    try {
      this.#options.port.rollback()
      this.#state = this.#options.port.reload({ revocations, newestSeqs, seq: this.#committedSeq })
      this.#committedSeq = this.#state.revocationSeq
    } catch (second) {
      this.#options.onFatal(second)
    }
  }
}

/** The essential commands of a group that found no space on the disk. The reserve may have space for these alone. */
function essentialToRetry({ error, toRefuse }: TransactionResult): PendingCommand[] {
  const essential = isDiskFull(error) ? toRefuse.filter(isEssential) : []
  return essential.length < toRefuse.length ? essential : []
}

function isEssential({ command }: PendingCommand): boolean {
  return ESSENTIAL.has(command.kind)
}

const unchanged = (command: Command): Command => command

/** A command of the primary itself, without a caller to answer. */
function ownCommand(command: Command): PendingCommand {
  const nothing = (): void => undefined
  return { command, share: shareOf(command, nothing), signal: undefined, resolve: nothing, reject: nothing }
}

/** True if the caller still waits; otherwise refuses the command. */
function isWanted({ signal, reject }: PendingCommand): boolean {
  if (signal?.aborted !== true) return true
  reject(new MacaroondError('closed', 'the caller has disconnected'))
  return false
}

function overloaded(): MacaroondError {
  return new MacaroondError('overloaded', 'too many writes are waiting', {
    hint: 'try again in a second',
    retryAfterMs: RETRY_AFTER_MS,
  })
}
