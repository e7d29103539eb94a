/**
 * The sending half of a wire: counts queued bytes, makes senders wait, and ends the connection of a peer that does not read.
 */
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

/** Most plaintext in one Noise frame: 65535 bytes minus 16 of the tag. */
const NOISE_FRAME_BYTES = 65_519

/** Upper bound of the Noise frames of a message. Several messages sent together may need fewer. */
export function framesOf(bytes: number): number {
  return Math.ceil((bytes + 4) / NOISE_FRAME_BYTES)
}

/** Never blocks: a message is sent, or refused because the backlog is too large. */
export class Outbox {
  readonly #options: OutboxOptions
  #waiters: PromiseWithResolvers<void>[] = []
  #ended: MacaroondError | undefined
  #frames = 0

  constructor(options: OutboxOptions) {
    this.#options = options
    // The stream sends its queue in a microtask after `drain`, and may then need draining again. Its own `onDrain()`
    // promise is never renewed, so it is usable only once.
    options.secure.addEventListener('drain', () => queueMicrotask(() => this.#wake()))
  }

  /** Bytes that the kernel has not taken yet. */
  get backlogBytes(): number {
    return this.#options.secure.writeBufferLength + this.#options.carrier.unsentBytes
  }

  get frames(): number {
    return this.#frames
  }

  /** False if the caller must wait for `drained()` before the next message, and after the end. */
  write(message: Uint8Array): boolean {
    const { backlogBytesMax, messageBytesMax, onFailure } = this.#options
    if (message.byteLength > messageBytesMax) throw tooLarge(message.byteLength, messageBytesMax)
    if (this.#ended !== undefined) return false
    // The Noise layer queues without a limit, so this checks it.
    if (this.backlogBytes + message.byteLength > backlogBytesMax) {
      onFailure(new MacaroondError('overloaded', `the peer did not read: ${this.backlogBytes} bytes are waiting`))
      return false
    }
    return this.#send(message)
  }

  /** Sends a heartbeat, unless other bytes are queued, which serve the same purpose. */
  beat(): void {
    if (this.#ended === undefined && this.backlogBytes === 0) this.#send(new Uint8Array(0))
  }

  /** Resolves when there is room again. Rejects if the connection has ended. */
  async drained(): Promise<void> {
    while (this.#options.secure.writableNeedsDrain || this.#ended !== undefined) await this.#wait()
  }

  /** Resolves when everything was handed to the socket. Only then may the socket be ended. */
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
      // The stream has just closed and its event has not arrived yet, or it can no longer encrypt.
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
