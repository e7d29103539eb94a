/**
 * A connection between two authenticated peers, for one purpose. The channels use this interface. It carries messages. A
 * message that was sent may still be lost, so channels acknowledge those that matter (PROTOCOL.md, "The end").
 */
import { MacaroondError } from '../errors.ts'
import type { PeerIdText } from '../ids.ts'
import type { ChannelName } from './channel-name.ts'
import type { JsonObject } from './json.ts'
import type { Wire } from './wire.ts'

/** One end of a welcomed connection. After the end, `write` returns false and `drained` rejects. */
export interface Connection {
  readonly channel: ChannelName
  /** PeerId of the other end, proven by the handshake. */
  readonly remotePeer: PeerIdText
  /** IP address of the other end, without port; an IPv4-mapped one as IPv4. */
  readonly remoteAddress: string
  /** Software version that the other end claims. */
  readonly remoteSoftware: string
  /** Fields of the other end's first message: at the server the dialer's hello, at the dialer the server's welcome. */
  readonly hello: JsonObject
  /** Upper bound of the Noise frames in the busier direction. A connection is replaced before `NOISE_FRAMES_MAX`. */
  readonly frames: number
  /** Bytes that were written here and that the kernel has not taken yet. */
  readonly backlogBytes: number
  /** Bytes that were received and that nobody has read yet. */
  readonly queuedBytes: number
  /**
   * Queues a message of 1 byte up to the limit; the bytes must not be changed afterwards. Returns false if the caller must wait
   * for `drained()` before the next message, or the connection has ended. Above the backlog limit the connection is aborted.
   * Throws request_invalid if the message is too large.
   */
  write(message: Uint8Array): boolean
  /** Resolves when there is room. Rejects with the connection's error once it has ended. */
  drained(): Promise<void>
  /** `write`, then `drained`. That it resolves does not prove that the message arrived. */
  send(message: Uint8Array): Promise<void>
  /** The received messages, for one consumer. Ends if either side closes in order, throws if the connection broke. */
  messages(): AsyncIterable<Uint8Array>
  /** Sends the queued messages, then ends; bounded in time. Never rejects. */
  close(): Promise<void>
  /** Ends at once; the peer sees a reset. */
  abort(error: Error): void
  /** Resolves when the connection is gone, with undefined if it ended in order. Never rejects. */
  readonly closed: Promise<MacaroondError | undefined>
}

/** The properties of a connection that hello and handshake determine. */
export interface ConnectionFacts {
  readonly channel: ChannelName
  readonly remotePeer: PeerIdText
  readonly remoteAddress: string
  readonly remoteSoftware: string
  readonly hello: JsonObject
}

/** A wire after hello and welcome. */
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
