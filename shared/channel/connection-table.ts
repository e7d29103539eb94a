/** The welcomed connections of a listener, counted by peer, with the limits on both counts. */
import { type ErrorReport } from '../errors.ts'
import type { PeerIdText } from '../ids.ts'
import { RETRY_AFTER_MS } from '../limits.ts'
import type { Connection } from './connection.ts'

export interface TableLimits {
  readonly connectionsMax: number
  readonly connectionsPerPeerMax: number
}

/** Holds every connection from its welcome until it is closed. */
export class ConnectionTable {
  readonly #limits: TableLimits
  readonly #connections: Set<Connection> = new Set()
  readonly #perPeer: Map<PeerIdText, number> = new Map()

  constructor(limits: TableLimits) {
    this.#limits = limits
  }

  /** The reason why this peer gets no further connection, or undefined. One peer must not use up the connections of all. */
  refusal(peer: PeerIdText): ErrorReport | undefined {
    const retryAfterMs = RETRY_AFTER_MS
    const hint = 'close connections that are not used, or spread the peers over more nodes'
    if (this.#connections.size >= this.#limits.connectionsMax) {
      return { code: 'overloaded', message: 'this node has reached its limit of connections', hint, retryAfterMs }
    }
    if ((this.#perPeer.get(peer) ?? 0) >= this.#limits.connectionsPerPeerMax) {
      return {
        code: 'overloaded',
        message: 'this peer has reached its limit of connections',
        hint,
        retryAfterMs,
      }
    }
    return undefined
  }

  /** Adds a connection, until it is closed. */
  add(connection: Connection): void {
    this.#connections.add(connection)
    this.#perPeer.set(connection.remotePeer, (this.#perPeer.get(connection.remotePeer) ?? 0) + 1)
    void connection.closed.then(() => this.#remove(connection))
  }

  all(): readonly Connection[] {
    return [...this.#connections]
  }

  #remove(connection: Connection): void {
    this.#connections.delete(connection)
    const left = (this.#perPeer.get(connection.remotePeer) ?? 1) - 1
    if (left === 0) this.#perPeer.delete(connection.remotePeer)
    else this.#perPeer.set(connection.remotePeer, left)
  }
}
