/** A connection between two authenticated peers, for one purpose. */
import { MacaroondError } from '../errors.ts'
import type { PeerIdText } from '../ids.ts'
import type { ChannelName } from './channel-name.ts'
import type { JsonObject } from './json.ts'
import type { Wire } from './wire.ts'

export interface Connection {
  readonly channel: ChannelName
  /** Who is at the other end, proven by the handshake. */
  readonly remotePeer: PeerIdText
  /** IP address of the other end, without port; an IPv4-mapped one as IPv4. */
  readonly remoteAddress: string
  /** Version of the software at the other end, as it says itself. */
  readonly remoteSoftware: string
  /** At the server what the dialer said, at the dialer the server's welcome. */
  readonly hello: JsonObject
  /** Noise frames so far, at most, in the busier direction; a connection is replaced before `NOISE_FRAMES_MAX`. */
  readonly frames: number
  /** Bytes written that the kernel has not taken yet, and bytes received that nobody has read yet. */
  readonly backlogBytes: number
  readonly queuedBytes: number
  /**
   * Queues a message, 1 byte up to the limit; the bytes must not be changed afterwards. False: wait for `drained()`
   * before the next. False too when the connection has ended. Above the backlog cap the connection is aborted.
   * Throws request_invalid for a message that is too large.
   */
  write(message: Uint8Array): boolean
  /** Resolves when there is room; rejects with the connection's error once it has ended. */
  drained(): Promise<void>
  /** `write`, then `drained`. That it resolved does not say that anything arrived: acknowledge what must not be lost. */
  send(message: Uint8Array): Promise<void>
  /** For one consumer. Ends when either side closes, throws when the connection broke. */
  messages(): AsyncIterable<Uint8Array>
  /** Sends what is queued, then ends; bounded. Never rejects. */
  close(): Promise<void>
  /** Ends at once; the peer sees a reset. */
  abort(error: Error): void
  /** Resolves when the connection is gone: undefined when it ended in order. Never rejects. */
  readonly closed: Promise<MacaroondError | undefined>
}

export interface ConnectionFacts {
  readonly channel: ChannelName
  readonly remotePeer: PeerIdText
  readonly remoteAddress: string
  readonly remoteSoftware: string
  readonly hello: JsonObject
}

/** What is left of a wire when hello and welcome are through. */
export class WelcomedConnection implements Connection {
  readonly channel: ChannelName
  readonly remotePeer: PeerIdText
  readonly remoteAddress: string
  readonly remoteSoftware: string
  readonly hello: JsonObject
  readonly #wire: Wire

  constructor(wire: Wire, facts: ConnectionFacts) {
    this.#wire = wire
    this.channel = facts.channel
    this.remotePeer = facts.remotePeer
    this.remoteAddress = facts.remoteAddress
    this.remoteSoftware = facts.remoteSoftware
    this.hello = facts.hello
  }

  get frames(): number {
    return this.#wire.frames
  }

  get backlogBytes(): number {
    return this.#wire.backlogBytes
  }

  get queuedBytes(): number {
    return this.#wire.queuedBytes
  }

  get closed(): Promise<MacaroondError | undefined> {
    return this.#wire.closed
  }

  write(message: Uint8Array): boolean {
    return this.#wire.write(message)
  }

  drained(): Promise<void> {
    return this.#wire.drained()
  }

  async send(message: Uint8Array): Promise<void> {
    if (!this.#wire.write(message)) await this.#wire.drained()
  }

  messages(): AsyncIterable<Uint8Array> {
    return this.#wire.messages()
  }

  close(): Promise<void> {
    return this.#wire.close()
  }

  abort(error: Error): void {
    this.#wire.abort(
      error instanceof MacaroondError ? error : new MacaroondError('closed', error.message, { cause: error }),
    )
  }
}
