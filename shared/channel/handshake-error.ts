/**
 * The error of a handshake that failed. It says whether the other side is of another cluster: only that lasts until somebody
 * changes a configuration. Everything else also happens while a node or a balancer in front of it restarts.
 */
import { type ErrorKind, MacaroondError } from '../errors.ts'

const HINTS = {
  otherCluster: 'both sides must name the same cluster and run the same protocol version',
  brokenOff:
    'this passes if something restarts there; if it lasts, check that the address leads to a node of macaroond',
} as const

export class HandshakeError extends MacaroondError {
  /** True if the other side is a node that names another cluster, or runs another version of the protocol. */
  readonly otherCluster: boolean

  constructor(message: string, { otherCluster, cause }: { readonly otherCluster: boolean; readonly cause?: unknown }) {
    const hint = otherCluster ? HINTS.otherCluster : HINTS.brokenOff
    super('handshake_failed', message, { hint, cause })
    this.otherCluster = otherCluster
  }
}

/** True if the error of a dial says that the other side is of another cluster. */
export function isOtherCluster(error: MacaroondError): boolean {
  return error instanceof HandshakeError && error.otherCluster
}

/** The kind of an error of a dial, for the decision to dial again: a handshake that broke off is a node that is not there. */
export function dialKind(error: MacaroondError): ErrorKind {
  return error instanceof HandshakeError && !error.otherCluster ? 'unavailable' : error.kind
}
