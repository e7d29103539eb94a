/**
 * The queues of the commands that wait for a transaction. Revocations go first (V5). Commands that present tokens go last,
 * because judging tokens takes long. Within each queue callers and orgs take turns. Each queue is bounded in number and in
 * characters.
 */
import {
  GROUP_COMMANDS_MAX,
  OTHERS_IN_GROUP_MIN,
  REVOCATIONS_QUEUED_CHARS_MAX,
  WRITES_QUEUED_CHARS_MAX,
  WRITES_QUEUED_MAX,
} from '../../shared/limits.ts'
import { FairQueue, type Share } from '../../shared/service/fair-queue.ts'
import { type Command, REVOKING } from '../authority/commands.ts'

export interface Queued {
  readonly command: Command
  readonly share: Share
}

export class WriteQueues<T extends Queued> {
  /** Revocations. A flood of mints must not delay them (V5). */
  readonly #urgent: FairQueue<T> = queueOf<T>(REVOCATIONS_QUEUED_CHARS_MAX)
  readonly #plain: FairQueue<T> = queueOf<T>(WRITES_QUEUED_CHARS_MAX)
  /** Commands that present tokens. Any holder may send them, and each can cost as much as thousands of mints. */
  readonly #presented: FairQueue<T> = queueOf<T>(WRITES_QUEUED_CHARS_MAX)

  get size(): number {
    return this.#urgent.size + this.#plain.size + this.#presented.size
  }

  /** Returns the items that the full queue drops. `item` need not be among them. */
  add(item: T): readonly T[] {
    return this.#queueOf(item).add(item)
  }

  /** Takes the commands of the next transaction, in the order in which they are decided. */
  takeGroup(): T[] {
    // Revocations go first, but even a flood of them leaves some places in the group to other commands.
    const kept = Math.min(OTHERS_IN_GROUP_MIN, this.#plain.size + this.#presented.size)
    const urgent = takeUpTo(this.#urgent, GROUP_COMMANDS_MAX - kept)
    const room = GROUP_COMMANDS_MAX - urgent.length
    // One place is kept for a command that presents tokens, so that a flood of mints does not starve these.
    const plain = takeUpTo(this.#plain, Math.max(0, room - Math.min(1, this.#presented.size)))
    return [...urgent, ...plain, ...takeUpTo(this.#presented, room - plain.length)]
  }

  takeUrgent(): T[] {
    return takeUpTo(this.#urgent, GROUP_COMMANDS_MAX)
  }

  takeAllButUrgent(): readonly T[] {
    return [...this.#plain.takeAll(), ...this.#presented.takeAll()]
  }

  /** Puts back the undecided rest of a group, in order, at the front. */
  giveBack(rest: readonly T[]): void {
    for (const item of rest.toReversed()) this.#queueOf(item).giveBack(item)
  }

  #queueOf({ command }: T): FairQueue<T> {
    if (REVOKING.has(command.kind)) return this.#urgent
    return isCostly(command) ? this.#presented : this.#plain
  }
}

/** True if the command judges presented tokens. */
export function isCostly({ kind }: Command): boolean {
  return kind === 'token.discharge' || kind === 'token.exchange'
}

/** `orgOf` finds the org of the root key that a command names. */
export function shareOf(command: Command, orgOf: (kid: string) => string | undefined | void): Share {
  const org = 'org' in command ? command.org : 'kid' in command ? (orgOf(command.kid) ?? '') : ''
  return { caller: command.actor.text, org, chars: charsOf(command) }
}

/** Assumed length of the other fields of a command. */
const COMMAND_CHARS = 256

function charsOf(command: Command): number {
  const of = (texts: readonly string[]): number => texts.reduce((sum, { length }) => sum + length, COMMAND_CHARS)
  switch (command.kind) {
    case 'token.mint':
      return of([command.subject, ...command.caveats])
    case 'token.exchange':
      return of([command.bundle])
    case 'token.discharge':
      return of(command.tokens)
    case 'token.revoke':
    case 'key.retire':
    case 'org.disable':
      return of([command.reason])
    case 'issued.revoke':
      return of([command.reason, command.subject ?? ''])
    default:
      return COMMAND_CHARS
  }
}

function queueOf<T extends Queued>(charsMax: number): FairQueue<T> {
  return new FairQueue<T>({ itemsMax: WRITES_QUEUED_MAX, charsMax, shareOf: ({ share }) => share })
}

function takeUpTo<T extends Queued>(queue: FairQueue<T>, count: number): T[] {
  const items: T[] = []
  while (items.length < count) {
    const item = queue.take()
    if (item === undefined) break
    items.push(item)
  }
  return items
}
