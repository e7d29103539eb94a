/** A Noise-encrypted socket as a pair of message queues with a defined life: open, closing, ended. */
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
    // The carrier may have gone while the handshake returned, before anybody listened.
    if (options.carrier.status !== 'open') this.#settle(new Error('closed'))
  }

  /** Resolves once, when the socket is gone: with the reason when it did not end in order. Never rejects. */
  get closed(): Promise<MacaroondError | undefined> {
    return this.#closed.promise
  }

  /** Noise frames, at most, in the busier direction: each direction has a nonce of its own. */
  get frames(): number {
    return Math.max(this.#outbox.frames, this.#framesReceived)
  }

  get backlogBytes(): number {
    return this.#outbox.backlogBytes
  }

  get queuedBytes(): number {
    return this.#intake.queuedBytes
  }

  /** From here on the peer may send as much as it wants to, and its silence counts. */
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

  /** Sends what is queued, then the end; cut off when the peer does not take it in time. Never rejects. */
  close(timeoutMs: number = this.#options.limits.closeTimeoutMs): Promise<void> {
    this.#closing ??= this.#close(timeoutMs)
    return this.#closing
  }

  /** Ends at once: what is queued either way is dropped, and the peer sees a reset. */
  abort(error: MacaroondError): void {
    this.#intake.discard(error)
    this.#fail(error)
  }

  /** As `abort`, but what had come in whole is still handed out. */
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
      // What still comes in is read and dropped: unread bytes at close would turn the end into a reset.
      this.#intake.discard()
      // The Noise stream's own close drops what it has queued, so that it must be empty first.
      await this.#outbox.flushed()
      // From here on a heartbeat would be a write after the end, and break what is just ending in order.
      this.#outbox.end(new MacaroondError('connection_lost', 'the connection was closed'))
      await carrier.close()
    } catch {
      // Lost meanwhile: `closed` has the reason.
    } finally {
      callOff()
    }
  }

  #receive(bytes: Parameters<Intake['push']>[0]): void {
    // Runs inside an event listener, where anything thrown would end the process.
    this.#heartbeat.heard()
    this.#framesReceived += framesOf(bytes.byteLength)
    this.#intake.push(bytes)
  }

  /** The other side said that it sends no more; it does not listen either, because neither half outlives the other. */
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
  return new MacaroondError('timeout', 'the peer did not take in time what was left to send')
}
