/**
 * Tracks the boots of one replica, to detect two machines that share its identity. A restart brings a new boot id, and the old
 * id never returns. If it does return while the new process is connected, both processes run, and the primary refuses the one
 * that returned.
 */
import { MacaroondError } from '../../shared/errors.ts'

interface Boot {
  readonly id: string
  connections: number
}

/**
 * The most replaced boots that are kept. They are enough to detect a duplicate, and a replica that invents boot ids cannot
 * fill the memory.
 */
const REPLACED_MAX = 16

export class ReplicaBoots {
  #current: Boot | undefined
  #replaced: readonly string[] = []

  /** True if another boot has replaced this one and is connected. */
  isDuplicate(id: string): boolean {
    const current = this.#current
    return current !== undefined && current.id !== id && current.connections > 0 && this.#replaced.includes(id)
  }

  /** Counts a connection of this boot until the returned function is called. */
  enter(id: string): () => void {
    const before = this.#current
    const boot = before?.id === id ? before : { id, connections: 0 }
    if (before !== undefined && before !== boot) this.#replaced = [...this.#replaced, before.id].slice(-REPLACED_MAX)
    this.#current = boot
    boot.connections += 1
    return () => (boot.connections -= 1)
  }
}

export const DUPLICATE_MESSAGE =
  'another process with the identity of this replica has replaced it, and both are running'

export function duplicateReplica(replica: string): MacaroondError {
  return new MacaroondError('peer_refused', `replica ${replica}: ${DUPLICATE_MESSAGE}`, {
    hint: 'two machines share one identity: give one of them its own (`macaroond keygen`), and add it to the configuration',
  })
}
