/**
 * The processes of each replica. One whose place another process has taken is gone, as a rule: a restart has another boot id,
 * and a boot id does not come back. One that does come back, while the other is connected, lives beside it: two machines have
 * one identity.
 */
import { MacaroondError } from '../../shared/errors.ts'

interface Life {
  readonly boot: string
  connections: number
}

/** Enough to tell; a peer that makes up boot ids has nothing of more. */
const LEFT_MAX = 16

export class Lives {
  readonly #now = new Map<string, Life>()
  readonly #left = new Map<string, readonly string[]>()

  /** Whether another process of this replica has taken this one's place, and is connected. */
  isBeside(replica: string, boot: string): boolean {
    const now = this.#now.get(replica)
    const left = this.#left.get(replica) ?? []
    return now !== undefined && now.boot !== boot && now.connections > 0 && left.includes(boot)
  }

  /** This process is connected, once more, until the returned function is called. */
  enter(replica: string, boot: string): () => void {
    const before = this.#now.get(replica)
    const life = before?.boot === boot ? before : { boot, connections: 0 }
    if (before !== undefined && before !== life) {
      this.#left.set(replica, [...(this.#left.get(replica) ?? []), before.boot].slice(-LEFT_MAX))
    }
    this.#now.set(replica, life)
    life.connections += 1
    return () => (life.connections -= 1)
  }
}

export const BESIDE = 'another process with the identity of this replica has taken its place, and both live'

export function livesBeside(replica: string): MacaroondError {
  return new MacaroondError('peer_refused', `replica ${replica}: ${BESIDE}`, {
    hint: 'two machines have one identity: give one of them its own (`macaroond keygen`), and list it',
  })
}
