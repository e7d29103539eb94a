/** The way out: how much is queued, when to wait, and when a reader that does not read costs it the connection. */
import { MacaroondError } from '../errors.ts'
import { frame } from './framing.ts'
import type { Carrier, SecureStream } from './transport.ts'

export interface OutboxOptions {
  readonly secure: SecureStream
  readonly carrier: Carrier
  readonly backlogBytesMax: number
  readonly messageBytesMax: number
  readonly onFailure: (error: MacaroondError) => void
}

/** Plaintext of one Noise frame, at most: 65535 bytes less the 16 of the tag. */
const NOISE_FRAME_BYTES = 65_519

/** Noise frames of a message, at most; several messages sent together may need fewer. */
export function framesOf(bytes: number): number {
  return Math.ceil((bytes + 4) / NOISE_FRAME_BYTES)
}

export class Outbox {
  readonly #options: OutboxOptions
  #waiters: PromiseWithResolvers<void>[] = []
  #ended: MacaroondError | undefined
  #frames = 0

  constructor(options: OutboxOptions) {
    this.#options = options
    // The stream sends what it had queued in a microtask after `drain`, and may then need draining again. Its own
    // `onDrain()` promise is never renewed, so it waits the first time only.
    options.secure.addEventListener('drain', () => queueMicrotask(() => this.#wake()))
  }

  /** Bytes that the kernel has not taken yet. */
  get backlogBytes(): number {
    return this.#options.secure.writeBufferLength + this.#options.carrier.unsentBytes
  }

  get frames(): number {
    return this.#frames
  }

  /** False when the caller should wait for `drained()` before the next one; false as well after the end. */
  write(message: Uint8Array): boolean {
    const { backlogBytesMax, messageBytesMax, onFailure } = this.#options
    if (message.byteLength > messageBytesMax) throw tooLarge(message.byteLength, messageBytesMax)
    if (this.#ended !== undefined) return false
    // The Noise layer queues without a limit, so the limit is here.
    if (this.backlogBytes + message.byteLength > backlogBytesMax) {
      onFailure(new MacaroondError('overloaded', `the peer did not read: ${this.backlogBytes} bytes are waiting`))
      return false
    }
    return this.#send(message)
  }

  /** A heartbeat says "alive" to a reader who waits; one who has bytes coming will hear those. */
  beat(): void {
    if (this.#ended === undefined && this.backlogBytes === 0) this.#send(new Uint8Array(0))
  }

  /** Resolves when there is room again, rejects when the connection has ended. */
  async drained(): Promise<void> {
    while (this.#options.secure.writableNeedsDrain || this.#ended !== undefined) await this.#wait()
  }

  /** Resolves when everything was handed to the socket: only then may the socket be ended. */
  async flushed(): Promise<void> {
    while (this.#options.secure.writeBufferLength > 0 || this.#options.carrier.writeBufferLength > 0) await this.#wait()
  }

  end(error: MacaroondError): void {
    this.#ended ??= error
    this.#wake()
  }

  #send(message: Uint8Array): boolean {
    this.#frames += framesOf(message.byteLength)
    try {
      return this.#options.secure.send(frame(message))
    } catch (cause) {
      // The stream closed itself a moment ago and its event is under way, or it could not encrypt any more.
      this.#options.onFailure(
        new MacaroondError('connection_lost', 'the connection no longer takes messages', { cause }),
      )
      return false
    }
  }

  #wait(): Promise<void> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    const waiter = Promise.withResolvers<void>()
    this.#waiters.push(waiter)
    return waiter.promise
  }

  #wake(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) {
      if (this.#ended === undefined) waiter.resolve()
      else waiter.reject(this.#ended)
    }
  }
}

function tooLarge(bytes: number, bytesMax: number): MacaroondError {
  return new MacaroondError('request_invalid', `a message of ${bytes} bytes; at most ${bytesMax} go into one`)
}
