/**
 * Serves one replica on the `wal` channel. The session keeps its own place in the log and sends at the pace of the connection,
 * so a slow replica costs no memory and delays no other. If the log no longer has the next segment, the session sends a
 * snapshot.
 */
import type { Connection } from '../../shared/channel/connection.ts'
import { turn, type Timers } from '../../shared/clock.ts'
import type { MacaroondError } from '../../shared/errors.ts'
import { txid as asTxid, type Timeline, type Txid } from '../../shared/ids.ts'
import { parsePosition, positionText, type Position } from '../../shared/position.ts'
import { BULK_CHUNK_BYTES } from '../../shared/limits.ts'
import { BULK_SEGMENT, BULK_SNAPSHOT, encodeChunk, encodeChunks } from '../../shared/protocol/bulk.ts'
import { decodeMessage, encodeMessage } from '../../shared/protocol/message.ts'
import type { SignedPosition } from '../../shared/protocol/signed-position.ts'
import { fromReplica, type ToReplica } from '../../shared/protocol/wal.ts'

/** The committed history that a session sends. */
export interface HistorySource {
  readonly timeline: Timeline
  readonly head: () => Position
  /** The segment; undefined if the log no longer reaches it. */
  readonly segment: (txid: Txid) => Uint8Array | undefined
  /** A copy of the whole database at one position, as one LTX file in pieces. */
  readonly snapshot: () => Promise<SnapshotSource>
}

export interface SnapshotSource {
  readonly position: Position
  readonly pages: number
  readonly pieces: () => Iterable<Uint8Array>
  readonly close: () => void
}

export interface WalSessionOptions {
  readonly connection: Connection
  readonly source: HistorySource
  readonly onAck: (position: Position) => void
  readonly clock: Timers
}

/** Bytes that a session sends before it yields to the event loop. */
const PACE_BYTES = 60 * 1024

export class WalSession {
  readonly #connection: Connection
  readonly #source: HistorySource
  readonly #onAck: (position: Position) => void
  readonly #clock: Timers
  #cursor: Txid | 'snapshot'
  #wake: (() => void) | undefined
  #signed: SignedPosition | undefined
  #unpaced = 0

  constructor({ connection, source, onAck, clock }: WalSessionOptions, start: Txid | 'snapshot') {
    this.#connection = connection
    this.#source = source
    this.#onAck = onAck
    this.#clock = clock
    this.#cursor = start
  }

  /** Resolves or rejects when the connection ends. */
  async run(): Promise<void> {
    if (this.#cursor !== 'snapshot') await this.#send({ t: 'resume' })
    await Promise.race([this.#sendForever(), this.#readAcknowledgements(), this.#connection.closed])
  }

  end(error: MacaroondError): void {
    this.#connection.abort(error)
  }

  /** Called after a commit. */
  notify(): void {
    this.#wake?.()
  }

  /** Sends the newest signed position, after the segments that it covers. */
  sendPosition(signed: SignedPosition): void {
    this.#signed = signed
    this.#wake?.()
  }

  async #sendForever(): Promise<void> {
    for (;;) {
      if (this.#cursor === 'snapshot') await this.#sendSnapshot()
      else if (this.#cursor < this.#source.head().txid) await this.#sendNext(asTxid(this.#cursor + 1))
      else if (this.#signed !== undefined) await this.#sendSigned(this.#signed)
      else await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  async #sendNext(next: Txid): Promise<void> {
    const segment = this.#source.segment(next)
    if (segment === undefined) {
      this.#cursor = 'snapshot'
      return
    }
    this.#cursor = next
    for (const chunk of segmentChunks(segment)) await this.#write(chunk)
  }

  async #sendSnapshot(): Promise<void> {
    const snapshot = await this.#source.snapshot()
    try {
      const { position, pages } = snapshot
      await this.#send({ t: 'snapshot', position: positionText(position), timeline: this.#source.timeline, pages })
      for (const chunk of encodeChunks(BULK_SNAPSHOT, snapshot.pieces())) await this.#write(chunk)
      this.#cursor = position.txid
    } finally {
      snapshot.close()
    }
  }

  async #sendSigned(signed: SignedPosition): Promise<void> {
    this.#signed = undefined
    await this.#send({ t: 'position', signed })
  }

  async #readAcknowledgements(): Promise<void> {
    for await (const frame of this.#connection.messages()) {
      const message = decodeMessage(frame, fromReplica)
      if (message.t === 'ack') this.#onAck(parsePosition(message.position))
      else this.#restart()
    }
  }

  /** The replica could not use a segment, so it gets a snapshot. */
  #restart(): void {
    if (this.#cursor === 'snapshot') return
    this.#cursor = 'snapshot'
    this.#wake?.()
  }

  #send(message: ToReplica): Promise<void> {
    return this.#connection.send(encodeMessage(message))
  }

  async #write(chunk: Uint8Array): Promise<void> {
    if (!this.#connection.write(chunk)) await this.#connection.drained()
    this.#unpaced += chunk.length
    if (this.#unpaced < PACE_BYTES) return
    this.#unpaced = 0
    await turn(this.#clock)
  }
}

/** Most segments fit into one chunk, which needs no copy. */
function segmentChunks(segment: Uint8Array): Iterable<Uint8Array> {
  if (segment.length > BULK_CHUNK_BYTES) return encodeChunks(BULK_SEGMENT, [segment])
  return [encodeChunk(BULK_SEGMENT, segment, true)]
}
