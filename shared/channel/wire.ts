/** A Noise-encrypted socket as a pair of message queues, with heartbeats. Its states are open, closing, ended. */
import type { Clock, Timers } from '../clock.ts'
import { assert, MacaroondError } from '../errors.ts'
import type { ChannelLimits } from './channel-limits.ts'
import { Heartbeat } from './heartbeat.ts'
import { Intake } from './intake.ts'
import { framesOf, Outbox } from './outbox.ts'
import type { Carrier, SecureStream } from './transport.ts'

export interface WireOptions {
  readonly secure: SecureStream
  readonly carrier: Carrier
  readonly clock: Clock & Timers
  readonly limits: ChannelLimits
}

/** Joins `Intake`, `Outbox` and `Heartbeat` on one socket, and settles `closed` exactly once. */
export class Wire {
  readonly #options: WireOptions
  readonly #intake: Intake
  readonly #outbox: Outbox
  readonly #heartbeat: Heartbeat
  readonly #closed = Promise.withResolvers<MacaroondError | undefined>()
  #closing: Promise<void> | undefined
  #ended = false
  #framesReceived = 0
  #reason: MacaroondError | undefined

  constructor(options: WireOptions) {
    this.#options = options
    this.#intake = this.#openIntake()
    this.#outbox = this.#openOutbox()
    this.#heartbeat = this.#openHeartbeat()
    const { secure } = options
    secure.addEventListener('message', (event) => this.#receive(event.data))
    secure.addEventListener('remoteCloseWrite', () => this.#remoteEnded())
    secure.addEventListener('close', (event) => this.#settle(event.error))
    // The carrier may have closed before these listeners were added.
    if (options.carrier.status !== 'open') this.#settle(new Error('closed'))
  }

  /** Resolves when the socket is gone, with the reason, or undefined if it ended in order. Never rejects. */
  get closed(): Promise<MacaroondError | undefined> {
    return this.#closed.promise
  }

  /** Upper bound of the Noise frames in the busier direction. Each direction has its own nonce. */
  get frames(): number {
    return Math.max(this.#outbox.frames, this.#framesReceived)
  }

  get backlogBytes(): number {
    return this.#outbox.backlogBytes
  }

  get queuedBytes(): number {
    return this.#intake.queuedBytes
  }

  /** After the welcome the limit on received bytes is lifted, and the peer's silence counts. */
  welcome(): void {
    this.#options.carrier.limitReceived(Infinity)
    if (!this.#ended) this.#heartbeat.start()
  }

  write(message: Uint8Array): boolean {
    assert(message.byteLength > 0, 'an empty message is a heartbeat')
    if (this.#closing !== undefined) return false
    return this.#outbox.write(message)
  }

  drained(): Promise<void> {
    return this.#outbox.drained()
  }

  next(): Promise<Uint8Array | undefined> {
    return this.#intake.next()
  }

  messages(): AsyncIterable<Uint8Array> {
    return this.#intake.messages()
  }

  /** Sends the queued messages, then the end. Aborts if the peer does not take them in time. Never rejects. */
  close(timeoutMs: number = this.#options.limits.closeTimeoutMs): Promise<void> {
    this.#closing ??= this.#close(timeoutMs)
    return this.#closing
  }

  /** Ends at once: drops all queued messages, in both directions, and sends a reset. */
  abort(error: MacaroondError): void {
    this.#intake.discard(error)
    this.#fail(error)
  }

  /** Like `abort`, but messages that were received completely are still handed out. */
  #fail(error: MacaroondError): void {
    if (this.#ended) return
    this.#reason ??= error
    this.#options.secure.abort(this.#reason)
    this.#options.carrier.abort(this.#reason)
    this.#settle(this.#reason)
  }

  async #close(timeoutMs: number): Promise<void> {
    if (this.#ended) return
    const { carrier, clock } = this.#options
    const callOff = clock.after(timeoutMs, () => this.abort(closeTimedOut()))
    try {
      // Further messages are read and dropped, because unread bytes at close would turn the end into a reset.
      this.#intake.discard()
      // The Noise stream's own close drops its queue, so the queue must be empty first.
      await this.#outbox.flushed()
      // The outbox ends here, because a heartbeat after the end would break the orderly close.
      this.#outbox.end(new MacaroondError('connection_lost', 'the connection was closed'))
      await carrier.close()
    } catch {
      // The connection was lost meanwhile; `closed` has the reason.
    } finally {
      callOff()
    }
  }

  #receive(bytes: Parameters<Intake['push']>[0]): void {
    // This runs in an event listener, where an exception would end the process.
    this.#heartbeat.heard()
    this.#framesReceived += framesOf(bytes.byteLength)
    this.#intake.push(bytes)
  }

  /** The peer has closed its sending half. Neither half outlives the other, so nothing is sent to it any more. */
  #remoteEnded(): void {
    this.#intake.end()
    this.#outbox.end(new MacaroondError('connection_lost', 'the peer closed the connection'))
  }

  #settle(cause: Error | undefined): void {
    if (this.#ended) return
    this.#ended = true
    this.#reason ??= cause === undefined ? undefined : lost(cause)
    this.#heartbeat.stop()
    this.#intake.end(this.#reason)
    this.#outbox.end(this.#reason ?? new MacaroondError('connection_lost', 'the connection was closed'))
    this.#closed.resolve(this.#reason)
  }

  #openIntake(): Intake {
    const { carrier, limits } = this.#options
    return new Intake({
      queueBytesMax: limits.readQueueBytesMax,
      messageBytesMax: limits.messageBytesMax,
      helloBytesMax: limits.helloBytesMax,
      hold: () => carrier.holdReading(),
      release: () => {
        this.#heartbeat.heard()
        carrier.releaseReading()
      },
      onViolation: (error) => this.#fail(error),
    })
  }

  #openOutbox(): Outbox {
    const { secure, carrier, limits } = this.#options
    return new Outbox({
      secure,
      carrier,
      backlogBytesMax: limits.writeBacklogBytesMax,
      messageBytesMax: limits.messageBytesMax,
      onFailure: (error) => this.abort(error),
    })
  }

  #openHeartbeat(): Heartbeat {
    const { clock, limits } = this.#options
    return new Heartbeat({
      clock,
      limits: { intervalMs: limits.heartbeatIntervalMs, silenceMs: limits.heartbeatSilenceMs },
      listening: () => !this.#intake.held,
      onBeat: () => this.#outbox.beat(),
      onSilence: () => this.abort(silent(limits.heartbeatSilenceMs)),
    })
  }
}

function lost(cause: Error): MacaroondError {
  if (cause instanceof MacaroondError) return cause
  return new MacaroondError('connection_lost', `the connection broke: ${cause.message}`, { cause })
}

function silent(silenceMs: number): MacaroondError {
  return new MacaroondError('connection_lost', `the peer was silent for ${silenceMs} ms`)
}

function closeTimedOut(): MacaroondError {
  return new MacaroondError('timeout', 'the peer did not read the remaining messages in time')
}
