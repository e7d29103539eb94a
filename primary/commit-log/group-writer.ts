/**
 * Group commit: commands that arrive together share one transaction, one segment and one fsync, and are answered together.
 * A command that cannot be done is refused alone; the others of its group go on. Judging presented tokens takes long
 * enough to hold up everything else, so it comes last in a group, and ends it after a while. A group that the disk has no room
 * for is tried again with what is pressing alone, and cut-offs that are due are appended before anything else is.
 */
import type { Clock, Entropy, Timers } from '../../shared/clock.ts'
import { assert, MacaroondError } from '../../shared/errors.ts'
import { GROUP_COMMANDS_MAX, GROUP_DECIDING_MS_MAX, RETRY_AFTER_MS } from '../../shared/limits.ts'
import type { Position } from '../../shared/position.ts'
import type { Kek } from '../../shared/sealing.ts'
import { type CommandAnswer, type Command, PRESSING } from '../authority/commands.ts'
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
  /** Of the state that has it; of a request that came again, where it was carried out, as far back as the log reaches. */
  readonly position: Position
}

/** Revocations that are known, up to a number, and need not be read again. */
export interface KnownRevocations {
  readonly revocations: Revocations
  readonly newest: AuthorityState['newest']
  readonly seq: number
}

/** The database side: one transaction around what `body` writes. */
export interface TransactionPort {
  readonly begin: () => void
  readonly write: (row: Row) => void
  /** Bumps txid, commits, captures and logs; returns the new position. `stampMs` is the authority's time, asked after COMMIT. */
  readonly commit: (state: AuthorityState, stampMs: () => number) => Position
  readonly rollback: () => void
  /** Of an earlier transaction; undefined where the log does not reach back. */
  readonly positionAt: (carriedOut: NonNullable<Outcome['carriedOut']>) => Position | undefined
  /** Brings an older schema to this one, in a transaction of its own; false when there was nothing to do. */
  readonly migrate: (stampMs: () => number) => boolean
  /** State as the database has it. */
  readonly reload: (known?: KnownRevocations) => AuthorityState
}

export interface GroupWriterOptions {
  readonly port: TransactionPort
  readonly clock: Clock & Pick<Timers, 'after' | 'soon'>
  readonly entropy: Entropy
  readonly ring: readonly Kek[]
  /** Looks up what is on record of a command, when its turn has come. */
  readonly prepare?: (command: Command) => Command
  /** An error after which nothing may be written any more. */
  readonly onFatal: (error: unknown) => void
}

/** What decides on commands. Most of it needs the writer's state, so it is given to a writer that is there. */
export interface WriterRules {
  readonly moment: () => AuthorityMoment
  /** What must be written before anything else is: it comes first in the next group. */
  readonly due?: (state: AuthorityState) => Command | undefined
  /** Throws when this is not taken now (not confirmed by a replica, clock in doubt, disk full, stopping). */
  readonly gate: (kind: Command['kind']) => void
  /** What came of a transaction that was tried. */
  readonly onAttempt: (attempt: Attempt) => void
}

export interface Attempt {
  /** Undefined where it was committed. */
  readonly error: unknown
  /** Commands failed with it that are taken whatever the clock or the disk says. */
  readonly pressing: boolean
}

interface PendingCommand extends Queued {
  readonly signal: AbortSignal | undefined
  readonly resolve: (committed: Committed) => void
  readonly reject: (error: unknown) => void
}

/** A transaction, and the commands that are to be refused with its error. */
interface Tried {
  /** Undefined where it was committed. */
  readonly error: unknown
  readonly left: readonly PendingCommand[]
}

const COMMITTED: Tried = { error: undefined, left: [] }
const ACTOR = { text: 'primary' } as const

/** While groups are full of company, waiting this long makes them larger; a lone writer never waits. */
const COLLECT_MS = 1

export class GroupWriter {
  readonly #options: GroupWriterOptions
  #given: WriterRules | undefined
  readonly #reminders: NonNullable<WriterRules['due']>[] = []
  #state: AuthorityState
  /** Revocations up to here are committed, and known. */
  #settledSeq: number
  readonly #queues = new WriteQueues<PendingCommand>()
  readonly #unrecorded: UnrecordedRate
  readonly #stampMs = (): number => this.#rules.moment().nowMs
  #scheduled = false
  #lastGroup = 0

  constructor(options: GroupWriterOptions) {
    this.#options = options
    this.#unrecorded = new UnrecordedRate(options.clock)
    this.#state = options.port.reload()
    this.#settledSeq = this.#state.revocationSeq
  }

  /** Read only: what the authority knows now, all of it committed. */
  get state(): AuthorityState {
    return this.#state
  }

  /** From here on commands are taken. To be called once. */
  open(rules: WriterRules): void {
    assert(this.#given === undefined, 'a writer is given its rules once')
    this.#given = rules
  }

  /** A part that is built after the rules has something due as well. */
  remind(due: NonNullable<WriterRules['due']>): void {
    this.#reminders.push(due)
  }

  /**
   * Resolves when the command's transaction is fsynced here and in the segment log. `signal`: its caller is gone, and nobody
   * would have what it makes; what has its turn then is not carried out.
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

  /** Writes what is due although nothing else waits. */
  nudge(): void {
    this.#schedule()
  }

  /** Before the first write of this process, once its position is confirmed. What it throws ends the process. */
  migrate(): void {
    if (!this.#options.port.migrate(this.#stampMs)) return
    const { revocations, newest } = this.#state
    this.#state = this.#options.port.reload({ revocations, newest, seq: this.#settledSeq })
  }

  /** At once, before this process ends; not where writes are not confirmed, which another disk has other ones for. */
  writeLast(command: Command): void {
    this.#commit([own(command)])
  }

  /** Cut-offs that are due are appended, if time is believed. */
  appendDue(): void {
    if (this.#owes()) this.#schedule()
  }

  get #rules(): WriterRules {
    assert(this.#given !== undefined, 'a writer takes no command before its rules are given')
    return this.#given
  }

  #owes(): boolean {
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
    const owed = this.#state.dueCutOffs.size
    const cutOffs = this.#owes() ? this.#cutOffsDue() : []
    const asked = cutOffs.length > 0 ? this.#queues.takeUrgent() : this.#queues.takeGroup()
    const group = [...this.#due(), ...cutOffs, ...asked.filter(isWanted)]
    this.#lastGroup = group.length
    if (group.length > 0) this.#commit(group)
    // Where none was appended, the next look at the clocks tries again.
    const goesOn = this.#state.dueCutOffs.size < owed && this.#owes()
    if (this.#queues.size > 0 || goesOn) this.#schedule()
  }

  /** Nobody waits for it, and what keeps it out keeps the whole group out. */
  #due(): readonly PendingCommand[] {
    const dues = [this.#rules.due, ...this.#reminders]
    const command = dues.map((due) => due?.(this.#state)).find((due) => due !== undefined)
    return command === undefined ? [] : [own(command)]
  }

  /** Nothing that mints may come before these. Where they are not written, whoever waits for that is refused. */
  #cutOffsDue(): readonly PendingCommand[] {
    const reject = (error: unknown): void => {
      for (const waiting of this.#queues.takeAllButUrgent()) waiting.reject(error)
    }
    const names: string[] = []
    for (const name of this.#state.dueCutOffs.keys()) if (names.push(name) === GROUP_COMMANDS_MAX) break
    return names.map((name) => ({ ...own({ kind: 'cut-off.again', actor: ACTOR, name }), reject }))
  }

  #commit(group: readonly PendingCommand[]): void {
    const admitted = group.filter((pending) => this.#admits(pending))
    if (admitted.length === 0) return
    const tried = this.#transact([...admitted])
    if (tried === undefined) return
    const again = triedAgain(tried)
    this.#end({ ...tried, left: tried.left.filter((pending) => !again.includes(pending)) })
    const triedLast = again.length === 0 ? undefined : this.#transact(again)
    if (triedLast !== undefined) this.#end(triedLast)
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

  /** Says what came of a transaction, and refuses what is left of it. */
  #end({ error, left }: Tried): void {
    this.#rules.onAttempt({ error, pressing: left.some(isPressing) })
    for (const { reject } of left) reject(error)
  }

  /** Undefined where every command was refused for a reason of its own. */
  #transact(group: PendingCommand[]): Tried | undefined {
    const { port, clock } = this.#options
    try {
      port.begin()
    } catch (error) {
      return { error, left: group }
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
      this.#settle(position)
      for (const { pending, outcome } of done) {
        const earlier = outcome.carriedOut && port.positionAt(outcome.carriedOut)
        pending.resolve({ answer: outcome.answer, position: earlier ?? position })
      }
      return COMMITTED
    } catch (error) {
      this.#undo()
      return { error, left: group.filter((pending) => !refused.has(pending)) }
    }
  }

  /** What was decided is in the database now. */
  #settle({ txid }: Position): void {
    this.#state.txid = txid
    this.#state.undo.length = 0
    this.#settledSeq = this.#state.revocationSeq
  }

  /** Nothing when this command alone was refused. */
  #decide(pending: PendingCommand): Outcome | undefined {
    const { entropy, ring, port, prepare = asItIs } = this.#options
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
   * What this group added to the revocations is taken back; if it was committed all the same, it comes again with what is
   * read anew.
   */
  #undo(): void {
    const { revocations, newest, undo } = this.#state
    for (const takeBack of undo.toReversed()) takeBack()
    try {
      this.#options.port.rollback()
      this.#state = this.#options.port.reload({ revocations, newest, seq: this.#settledSeq })
      this.#settledSeq = this.#state.revocationSeq
    } catch (second) {
      this.#options.onFatal(second)
    }
  }
}

/** What is pressing, of a group that the disk had no room for: alone it may find room. */
function triedAgain({ error, left }: Tried): PendingCommand[] {
  const pressing = isDiskFull(error) ? left.filter(isPressing) : []
  return pressing.length < left.length ? pressing : []
}

function isPressing({ command }: PendingCommand): boolean {
  return PRESSING.has(command.kind)
}

const asItIs = (command: Command): Command => command

/** A command of the primary itself, which nobody waits for. */
function own(command: Command): PendingCommand {
  const nothing = (): void => undefined
  return { command, share: shareOf(command, nothing), signal: undefined, resolve: nothing, reject: nothing }
}

/** Refuses what nobody waits for any more. */
function isWanted({ signal, reject }: PendingCommand): boolean {
  if (signal?.aborted !== true) return true
  reject(new MacaroondError('closed', 'the caller is gone'))
  return false
}

function overloaded(): MacaroondError {
  return new MacaroondError('overloaded', 'too many writes are waiting', {
    hint: 'try again in a second',
    retryAfterMs: RETRY_AFTER_MS,
  })
}
