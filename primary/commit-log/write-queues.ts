/**
 * Commands that wait for their group. Revocations go ahead of everything, and commands that present tokens come last, because
 * judging tokens takes long. In each queue callers and orgs take turns.
 */
import {
  GROUP_COMMANDS_MAX,
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
  /** A flood of mints keeps no revocation out (V5). */
  readonly #urgent: FairQueue<T> = queueOf<T>(REVOCATIONS_QUEUED_CHARS_MAX)
  readonly #plain: FairQueue<T> = queueOf<T>(WRITES_QUEUED_CHARS_MAX)
  /** Whoever may present a token may ask for these, and each can cost as much as thousands of mints. */
  readonly #presented: FairQueue<T> = queueOf<T>(WRITES_QUEUED_CHARS_MAX)

  get size(): number {
    return this.#urgent.size + this.#plain.size + this.#presented.size
  }

  /** Returns those that have no room. */
  add(item: T): readonly T[] {
    return this.#queueOf(item).add(item)
  }

  /** At most so many as go into one transaction, in the order in which they are decided. */
  takeGroup(): T[] {
    const urgent = this.takeUrgent()
    const room = GROUP_COMMANDS_MAX - urgent.length
    // One place is kept for presented tokens, so that a flood of mints does not keep them out.
    const plain = taken(this.#plain, Math.max(0, room - Math.min(1, this.#presented.size)))
    return [...urgent, ...plain, ...taken(this.#presented, room - plain.length)]
  }

  takeUrgent(): T[] {
    return taken(this.#urgent, GROUP_COMMANDS_MAX)
  }

  takeAllButUrgent(): readonly T[] {
    return [...this.#plain.takeAll(), ...this.#presented.takeAll()]
  }

  /** Those of a group that were not decided, in its order: they are the next ones. */
  giveBack(rest: readonly T[]): void {
    for (const item of rest.toReversed()) this.#queueOf(item).giveBack(item)
  }

  #queueOf({ command }: T): FairQueue<T> {
    if (REVOKING.has(command.kind)) return this.#urgent
    return isCostly(command) ? this.#presented : this.#plain
  }
}

/** Judging presented tokens. */
export function isCostly({ kind }: Command): boolean {
  return kind === 'token.discharge' || kind === 'token.exchange'
}

/** `orgOf`: of the root key that a command names. */
export function shareOf(command: Command, orgOf: (kid: string) => string | undefined | void): Share {
  const org = 'org' in command ? command.org : 'kid' in command ? (orgOf(command.kid) ?? '') : ''
  return { caller: command.actor.text, org, chars: charsOf(command) }
}

/** Whatever else a command has. */
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

function taken<T extends Queued>(queue: FairQueue<T>, count: number): T[] {
  const items: T[] = []
  while (items.length < count) {
    const item = queue.take()
    if (item === undefined) break
    items.push(item)
  }
  return items
}
