/** A TCP socket as the message stream that js-libp2p's Noise works on. */
import type { Socket } from 'node:net'
import { AbstractMessageStream, type SendResult } from '@libp2p/utils'
import type { Uint8ArrayList } from 'uint8arraylist'
import { MacaroondError } from '../errors.ts'
import { READ_BUFFER_BYTES_MAX, WRITE_BACKLOG_BYTES_MAX } from '../limits.ts'
import { silentLogger } from './silent-logger.ts'

export class SocketStream extends AbstractMessageStream {
  readonly #socket: Socket
  #receivableBytes = Infinity
  #receivedBytes = 0
  #corked = false
  /** Why this end broke off, however that shows above. */
  violation: MacaroondError | undefined
  readonly #spoken = Promise.withResolvers<void>()

  constructor(socket: Socket, direction: 'inbound' | 'outbound') {
    super({ log: silentLogger, direction, maxReadBufferLength: READ_BUFFER_BYTES_MAX })
    this.maxWriteBufferLength = WRITE_BACKLOG_BYTES_MAX
    this.#socket = socket
    // Messages are small and answered: waiting for an acknowledgement to fill a packet costs 40 ms a call.
    socket.setNoDelay(true)
    socket.on('data', (chunk) => this.#receive(chunk))
    socket.on('drain', () => this.safeDispatchEvent('drain'))
    socket.on('end', () => this.onRemoteCloseWrite())
    socket.on('close', () => {
      this.#spoken.resolve()
      this.onTransportClosed()
    })
    // This listener stays for the life of the socket: an error without one would end the process.
    socket.on('error', (error) => this.abort(error))
  }

  /** Resolves when the peer has sent anything, or is gone. */
  get spoken(): Promise<void> {
    return this.#spoken.promise
  }

  /** Bytes that came in, whatever they were. */
  get receivedBytes(): number {
    return this.#receivedBytes
  }

  /** Bytes accepted for sending that the kernel has not taken yet. */
  get unsentBytes(): number {
    return this.writeBufferLength + this.#socket.writableLength
  }

  /** Cuts the peer off once it has sent more than this; a peer that is not welcomed yet has little to say. */
  limitReceived(bytes: number): void {
    this.#receivableBytes = bytes
  }

  /**
   * Stops and starts the socket itself and leaves the state of the streams above alone: their `resume()` hands out what
   * is buffered before it tells the transport, and a `pause()` made in that moment is undone.
   */
  holdReading(): void {
    this.#socket.pause()
  }

  releaseReading(): void {
    if (!this.#socket.destroyed) this.#socket.resume()
  }

  override sendData(data: Uint8ArrayList): SendResult {
    this.#corkThisTick()
    for (const part of data) this.#socket.write(part)
    return { sentBytes: data.byteLength, canSendMore: !this.#socket.writableNeedDrain }
  }

  /** A reset, not an orderly end: the peer must be able to tell a broken connection from a finished one. */
  override sendReset(): void {
    const socket = this.#socket
    // Once everything was handed over and the end is on its way, libuv refuses a reset (uv_tcp_close_reset, EINVAL), and
    // Node would then never close the socket. The peer gets all bytes and the end, so that nothing is lost by it.
    const ending = socket.writableEnded && socket.writableLength === 0
    if (socket.connecting || ending) socket.destroy()
    else socket.resetAndDestroy()
  }

  override sendPause(): void {
    this.holdReading()
  }

  override sendResume(): void {
    this.releaseReading()
  }

  /** Sends what is queued, then the end; resolves when the socket is gone. The caller bounds the wait. */
  override async close(): Promise<void> {
    if (this.#socket.closed) return
    this.writeStatus = 'closing'
    const closed = new Promise<void>((resolve) => this.#socket.once('close', () => resolve()))
    this.#socket.end()
    await closed
  }

  /** One system call for all that is sent in a tick: with many calls in flight that call is most of the cost. */
  #corkThisTick(): void {
    if (this.#corked) return
    this.#corked = true
    this.#socket.cork()
    process.nextTick(() => {
      this.#corked = false
      this.#socket.uncork()
    })
  }

  #receive(chunk: Uint8Array): void {
    this.#receivedBytes += chunk.byteLength
    this.#spoken.resolve()
    if (this.#receivedBytes <= this.#receivableBytes) return this.onData(chunk)
    this.violation = new MacaroondError('protocol_violation', 'the peer sent too much before it was welcomed')
    this.abort(this.violation)
  }
}
