/** Adapts a TCP socket to the message stream that js-libp2p's Noise works on. */
import type { Socket } from 'node:net'
import { AbstractMessageStream, type SendResult } from '@libp2p/utils'
import type { Uint8ArrayList } from 'uint8arraylist'
import { MacaroondError } from '../errors.ts'
import { READ_BUFFER_BYTES_MAX, WRITE_BACKLOG_BYTES_MAX } from '../limits.ts'
import { silentLogger } from './silent-logger.ts'

/** Noise in libp2p puts the length before each message, big-endian. */
const LENGTH_BYTES = 2

/** The library's base class handles buffering and events; this class handles the socket and the limits. */
export class SocketStream extends AbstractMessageStream {
  readonly #socket: Socket
  #receivableBytes = Infinity
  #receivedBytes = 0
  #firstBytes = Buffer.alloc(0)
  #corked = false
  /** The reason why this end aborted; the layers above may report another error. */
  violation: MacaroondError | undefined
  readonly #firstByte = Promise.withResolvers<void>()

  constructor(socket: Socket, direction: 'inbound' | 'outbound') {
    super({ log: silentLogger, direction, maxReadBufferLength: READ_BUFFER_BYTES_MAX })
    this.maxWriteBufferLength = WRITE_BACKLOG_BYTES_MAX
    this.#socket = socket
    // Messages are small and answered. Nagle's algorithm would cost 40 ms a call.
    socket.setNoDelay(true)
    socket.on('data', (chunk) => this.#receive(chunk))
    socket.on('drain', () => this.safeDispatchEvent('drain'))
    socket.on('end', () => this.onRemoteCloseWrite())
    socket.on('close', () => {
      this.#firstByte.resolve()
      this.onTransportClosed()
    })
    // This listener stays until the socket is gone, because an error event without a listener ends the process.
    socket.on('error', (error) => this.abort(error))
  }

  /** Resolves when the peer has sent a first byte, or is gone. */
  get firstByte(): Promise<void> {
    return this.#firstByte.promise
  }

  /** Number of bytes received. */
  get receivedBytes(): number {
    return this.#receivedBytes
  }

  /** Length of the peer's first Noise message, as its first two bytes announce it; undefined before they are here. */
  get announcedBytes(): number | undefined {
    return this.#firstBytes.byteLength < LENGTH_BYTES ? undefined : this.#firstBytes.readUInt16BE()
  }

  /** Number of bytes accepted for sending that the kernel has not taken yet. */
  get unsentBytes(): number {
    return this.writeBufferLength + this.#socket.writableLength
  }

  /** Aborts the connection once the peer has sent more than this, in total. Used before the welcome. */
  limitReceived(bytes: number): void {
    this.#receivableBytes = bytes
  }

  /**
   * Stops the socket itself, and leaves the state of the streams above unchanged. Their `resume()` hands out buffered data
   * before it resumes the transport, so a `pause()` called while it does would be undone.
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

  /** Sends a reset, so that the peer can distinguish a broken connection from a finished one. */
  override sendReset(): void {
    const socket = this.#socket
    // After everything was sent and the socket was ended, libuv refuses a reset (uv_tcp_close_reset, EINVAL), and Node would
    // never close the socket. The peer gets all bytes and the end, so nothing is lost.
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

  /** Sends the queued bytes, then the end. Resolves when the socket is gone. The caller bounds the wait. */
  override async close(): Promise<void> {
    if (this.#socket.closed) return
    this.writeStatus = 'closing'
    const closed = new Promise<void>((resolve) => this.#socket.once('close', () => resolve()))
    this.#socket.end()
    await closed
  }

  /** Sends everything of one tick in one system call, which with many calls in flight is most of the cost. */
  #corkThisTick(): void {
    if (this.#corked) return
    this.#corked = true
    this.#socket.cork()
    process.nextTick(() => {
      this.#corked = false
      this.#socket.uncork()
    })
  }

  #noteFirstBytes(chunk: Uint8Array): void {
    const missing = LENGTH_BYTES - this.#firstBytes.byteLength
    if (missing > 0) this.#firstBytes = Buffer.concat([this.#firstBytes, chunk.subarray(0, missing)])
  }

  #receive(chunk: Uint8Array): void {
    this.#receivedBytes += chunk.byteLength
    this.#noteFirstBytes(chunk)
    this.#firstByte.resolve()
    if (this.#receivedBytes <= this.#receivableBytes) return this.onData(chunk)
    this.violation = new MacaroondError('protocol_violation', 'the peer sent too much before it was welcomed')
    this.abort(this.violation)
  }
}
