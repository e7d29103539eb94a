/** One end of a simulated link: the product's own stream of messages, with a pipe in the place of a socket. */
import { AbstractMessageStream, type SendResult } from '@libp2p/utils'
import type { Uint8ArrayList } from 'uint8arraylist'
import { silentLogger } from '../../../shared/channel/silent-logger.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import type { PeerIdText } from '../../../shared/ids.ts'
import { READ_BUFFER_BYTES_MAX, WRITE_BACKLOG_BYTES_MAX } from '../../../shared/limits.ts'
import type { Life } from '../nodes/machine.ts'

/** What goes through a pipe, in order. */
export type Parcel =
  | { readonly kind: 'proof'; readonly peer: PeerIdText; readonly cluster: string }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'end' }
  | { readonly kind: 'reset' }

/** What a kernel takes before the process has to keep the rest, and how much of that is too much. */
const KERNEL_BYTES = 256 * 1024
const HIGH_WATER_BYTES = 64 * 1024

export class VirtualStream extends AbstractMessageStream {
  readonly life: Life
  readonly proof: PromiseWithResolvers<{ readonly peer: PeerIdText; readonly cluster: string }> =
    Promise.withResolvers()
  readonly #send: (parcel: Parcel) => void
  /** Why this end broke off, as a socket's stream has it. */
  violation: MacaroondError | undefined
  readonly #closed = Promise.withResolvers<void>()
  readonly #firstByte = Promise.withResolvers<void>()
  #gone = false
  #ended = false
  #held: Parcel[] | undefined
  #receivedBytes = 0
  #receivableBytes = Infinity
  #underWayBytes = 0

  constructor(life: Life, direction: 'inbound' | 'outbound', send: (parcel: Parcel) => void) {
    super({ log: silentLogger, direction, maxReadBufferLength: READ_BUFFER_BYTES_MAX })
    this.maxWriteBufferLength = WRITE_BACKLOG_BYTES_MAX
    this.life = life
    this.#send = send
    this.proof.promise.catch(() => undefined)
  }

  /** The socket is closed here: whatever still comes meets nobody. */
  get gone(): boolean {
    return this.#gone || this.life.over
  }

  get firstByte(): Promise<void> {
    return this.#firstByte.promise
  }

  get whenGone(): Promise<void> {
    return this.#closed.promise
  }

  get unsentBytes(): number {
    return this.writeBufferLength + Math.max(0, this.#underWayBytes - KERNEL_BYTES)
  }

  limitReceived(bytes: number): void {
    this.#receivableBytes = bytes
  }

  holdReading(): void {
    this.#held ??= []
  }

  releaseReading(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const parcel of held) this.receive(parcel)
  }

  receive(parcel: Parcel): void {
    if (this.gone) return
    this.#firstByte.resolve()
    if (parcel.kind === 'reset') return this.#broken()
    if (this.#held !== undefined) return void this.#held.push(parcel)
    if (parcel.kind === 'proof') return this.proof.resolve(parcel)
    if (parcel.kind === 'end') return this.#peerEnded()
    this.#receivedBytes += parcel.bytes.byteLength
    if (this.#receivedBytes <= this.#receivableBytes) return this.onData(parcel.bytes)
    this.violation = new MacaroondError('protocol_violation', 'the peer sent too much before it was welcomed')
    this.abort(this.violation)
  }

  /** True when the process waited for that: it must be notified. */
  delivered(bytes: number): boolean {
    const before = this.#underWayBytes
    this.#underWayBytes -= bytes
    return before > KERNEL_BYTES && this.#underWayBytes <= KERNEL_BYTES
  }

  drained(): void {
    if (!this.gone) this.safeDispatchEvent('drain')
  }

  prove(proof: Extract<Parcel, { kind: 'proof' }>): void {
    if (!this.gone) this.#send(proof)
  }

  override sendData(data: Uint8ArrayList): SendResult {
    const bytes = data.slice()
    this.#underWayBytes += bytes.byteLength
    this.#send({ kind: 'bytes', bytes })
    return { sentBytes: bytes.byteLength, canSendMore: this.#underWayBytes <= KERNEL_BYTES + HIGH_WATER_BYTES }
  }

  override sendReset(): void {
    if (this.#gone) return
    this.#send({ kind: 'reset' })
    this.#leave()
  }

  override sendPause(): void {
    this.holdReading()
  }

  override sendResume(): void {
    this.releaseReading()
  }

  override async close(): Promise<void> {
    if (this.#gone) return
    this.writeStatus = 'closing'
    this.#end()
    await this.#closed.promise
  }

  /** As a kernel closes what a killed process leaves open. */
  orphan(): void {
    if (!this.#gone) this.#end()
    this.#leave()
  }

  #end(): void {
    if (!this.#ended) this.#send({ kind: 'end' })
    this.#ended = true
  }

  /** Neither half outlives the other, as `net` has it by default. */
  #peerEnded(): void {
    this.onRemoteCloseWrite()
    this.#end()
    this.#leave()
    this.onTransportClosed()
  }

  #broken(): void {
    this.#leave()
    this.abort(new Error('read ECONNRESET'))
    this.onTransportClosed()
  }

  #leave(): void {
    this.#gone = true
    this.#firstByte.resolve()
    this.proof.reject(new MacaroondError('connection_lost', 'the connection ended before the handshake did'))
    this.#closed.resolve()
  }
}
