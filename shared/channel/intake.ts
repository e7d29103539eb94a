/**
 * The receiving half of a wire: decrypted bytes, a bounded queue that stops the socket, frames, a bounded queue of messages,
 * one consumer. Frames are decoded without waiting for the consumer, so that heartbeats do not pile up behind a busy one.
 */
import { pipe } from 'it-pipe'
import type { Uint8ArrayList } from 'uint8arraylist'
import { MacaroondError } from '../errors.ts'
import { BoundedQueue } from './bounded-queue.ts'
import { deframe } from './framing.ts'

export interface IntakeOptions {
  readonly queueBytesMax: number
  readonly messageBytesMax: number
  /** Limit of the first message, which is the hello or its answer. */
  readonly helloBytesMax: number
  readonly hold: () => void
  readonly release: () => void
  /** Called if the peer's bytes break the protocol, or end inside a message. */
  readonly onViolation: (error: MacaroondError) => void
}

/** Stops and resumes the socket through `hold` and `release`. It never closes the socket itself. */
export class Intake {
  readonly #raw: BoundedQueue<Uint8Array | Uint8ArrayList>
  readonly #messages: BoundedQueue<Uint8Array>
  #held = false
  #discarded = false
  #received = 0

  constructor(options: IntakeOptions) {
    this.#raw = new BoundedQueue({
      bytesMax: options.queueBytesMax,
      onFull: () => this.#hold(options.hold),
      onRoom: () => this.#release(options.release),
    })
    this.#messages = new BoundedQueue({ bytesMax: options.queueBytesMax })
    void this.#decode(options)
  }

  /** True while the socket is stopped. The peer's silence does not count then. */
  get held(): boolean {
    return this.#held
  }

  /** Bytes received and not consumed yet, decoded or not. */
  get queuedBytes(): number {
    return this.#raw.bytes + this.#messages.bytes
  }

  get received(): number {
    return this.#received
  }

  push(bytes: Uint8Array | Uint8ArrayList): void {
    this.#raw.push(bytes)
  }

  /** The peer has ended. Received messages are still handed out, then the error, if there is one. */
  end(error?: MacaroondError): void {
    this.#raw.end(error)
  }

  /** This side has ended. Messages that nobody took are dropped. */
  discard(error?: MacaroondError): void {
    this.#discarded = true
    this.#raw.discard(error)
    this.#messages.discard(error)
  }

  next(): Promise<Uint8Array | undefined> {
    return this.#messages.next()
  }

  messages(): AsyncIterable<Uint8Array> {
    return this.#messages
  }

  async #decode(options: IntakeOptions): Promise<void> {
    try {
      await pipe(
        this.#raw,
        // The limit depends on the count, because later messages may arrive in the packet of the first, before it was read.
        (source) => deframe(source, () => (this.#received === 0 ? options.helloBytesMax : options.messageBytesMax)),
        (frames) => this.#deliver(frames),
      )
      this.#messages.end()
    } catch (cause) {
      // Half a message is no violation if this side stopped reading.
      if (this.#discarded) return
      const error = asMacaroondError(cause)
      this.#messages.end(error)
      options.onViolation(error)
    }
  }

  async #deliver(frames: AsyncIterable<Uint8ArrayList>): Promise<void> {
    for await (const message of frames) {
      if (message.byteLength === 0) continue
      this.#received += 1
      this.#messages.push(message.subarray())
      if (this.#messages.full) await this.#messages.whenRoom()
    }
  }

  #hold(hold: () => void): void {
    this.#held = true
    hold()
  }

  #release(release: () => void): void {
    this.#held = false
    release()
  }
}

function asMacaroondError(cause: unknown): MacaroondError {
  if (cause instanceof MacaroondError) return cause
  if (cause instanceof Error && cause.name === 'UnexpectedEOFError') {
    return new MacaroondError('connection_lost', 'the connection ended in the middle of a message')
  }
  return new MacaroondError('protocol_violation', 'the peer sent bytes that are no message', { cause })
}
