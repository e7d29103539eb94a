/**
 * The shell of the follower: it reads the `wal` channel, passes events to the core (core.ts), and carries out its effects on
 * the copy. It syncs the copy and acknowledges positions at its own pace.
 */
import type { Connection } from '../../shared/channel/connection.ts'
import { turn, type CallOff, type Timers } from '../../shared/clock.ts'
import { MacaroondError, reportOf } from '../../shared/errors.ts'
import { timeline, type Timeline } from '../../shared/ids.ts'
import { SEGMENT_BYTES_MAX } from '../../shared/limits.ts'
import type { Log } from '../../shared/log.ts'
import { decodeSegment } from '../../shared/ltx/decoder.ts'
import { parsePosition, positionText } from '../../shared/position.ts'
import { BULK_SNAPSHOT, decodeChunk, type BulkChunk } from '../../shared/protocol/bulk.ts'
import { decodeMessage, encodeMessage, isControl } from '../../shared/protocol/message.ts'
import type { SignedPosition } from '../../shared/protocol/signed-position.ts'
import { toReplica, walWelcome, type FromReplica, type ToReplica, type WalHello } from '../../shared/protocol/wal.ts'
import { storageError } from '../../shared/files/storage-errors.ts'
import { isDamage, type DatabaseCopy } from '../store/database-copy.ts'
import { SnapshotFile } from '../store/snapshot-file.ts'
import {
  startFollower,
  stepFollower,
  type Effect,
  type FollowerEvent,
  type FollowerState,
  type AppliedState,
} from './core.ts'

export interface FollowerOptions {
  /** Names this process. */
  readonly boot: string
  readonly copy: DatabaseCopy
  /** File for a snapshot while it arrives. */
  readonly snapshotPath: string
  readonly clock: Timers
  readonly log: Log
  readonly signed: () => SignedPosition | undefined
  /** The timeline, and the number up to which this replica knows all its revocations. */
  readonly revocations: () => { readonly timeline: Timeline; readonly seq: number } | undefined
  /** Returns the proven position, or undefined if the signature is not the authority's. */
  readonly onSigned: (signed: SignedPosition) => AppliedState | undefined
  /** Called when a transaction or a snapshot became visible. */
  readonly onApplied: () => void
  /** Called when everything visible is durable. */
  readonly onDurable: () => void
  readonly onDiverged: (message: string | undefined) => void
  /** Called after a failed fsync. The state of the disk is unknown then, so the node must end instead of retrying. */
  readonly onFatal: (error: unknown) => void
}

/** Delay of the acknowledgement after a quiet time: short, so that `status` soon shows this replica as caught up. */
const ACKNOWLEDGE_MS = 20
/** Interval of syncs under load. A sync only saves time after a restart, and blocks the event loop, so it is done rarely. */
const ACKNOWLEDGE_AGAIN_MS = 500
/** Bytes processed before verifications and revocations get a turn of the event loop. */
const TURN_BYTES = 60 * 1024

interface IncomingSnapshot {
  readonly file: SnapshotFile
  readonly primary: AppliedState
  readonly pages: number
}

export class Follower {
  readonly #options: FollowerOptions
  #state: FollowerState
  #connection: Connection | undefined
  #parts: Uint8Array[] = []
  #partsBytes = 0
  #incoming: IncomingSnapshot | undefined
  #acknowledging: CallOff | undefined
  /** The state that was acknowledged last on this connection. */
  #acknowledged: AppliedState | undefined

  constructor(options: FollowerOptions) {
    this.#options = options
    this.#state = startFollower(options.copy.applied)
  }

  /** The snapshot that is arriving; undefined if none is. */
  get incoming(): { readonly pages: number; readonly received: number } | undefined {
    return this.#incoming && { pages: this.#incoming.pages, received: this.#incoming.file.received }
  }

  hello(): WalHello {
    const { applied } = this.#state
    const known = this.#options.revocations()
    return {
      position: applied === undefined ? null : positionText(applied.position),
      timeline: applied?.timeline ?? null,
      signed: this.#options.signed() ?? null,
      revocations: known === undefined ? null : { timeline: known.timeline, seq: known.seq },
      boot: this.#options.boot,
    }
  }

  /** Follows the primary until the connection ends. Throws the error that ended it. */
  async follow(connection: Connection, retire: AbortSignal): Promise<void> {
    this.#connection = connection
    retire.addEventListener('abort', () => void connection.close())
    try {
      const { position, timeline: line } = decodeWelcome(connection)
      await this.#step({ kind: 'welcome', primary: { position: parsePosition(position), timeline: timeline(line) } })
      this.#options.onDiverged(undefined)
      await this.#read(connection)
    } catch (error) {
      throw this.#endAfterFailedSync(storageError(error, 'applying what the primary sent'))
    } finally {
      this.#leave()
    }
  }

  /** To be called when the copy's pages differ from what was applied: a snapshot replaces them. */
  damaged(): void {
    this.#state = stepFollower(this.#state, { kind: 'damaged' }).state
    this.#connection?.abort(new MacaroondError('database_corrupt', 'this replica’s copy is damaged'))
  }

  async #read(connection: Connection): Promise<void> {
    let bytes = 0
    for await (const frame of connection.messages()) {
      await (isControl(frame) ? this.#control(decodeMessage(frame, toReplica)) : this.#bulk(decodeChunk(frame)))
      bytes += frame.length
      if (bytes < TURN_BYTES) continue
      bytes = 0
      await turn(this.#options.clock)
    }
  }

  async #control(message: ToReplica): Promise<void> {
    if (message.t === 'resume') return this.#resumed()
    if (message.t === 'position') return this.#positionStated(message.signed)
    const primary = { position: parsePosition(message.position), timeline: timeline(message.timeline) }
    await this.#step({ kind: 'snapshot-begins', primary })
    this.#incoming?.file.discard()
    this.#incoming = { file: new SnapshotFile(this.#options.snapshotPath), primary, pages: message.pages }
    this.#options.log.info({ pages: message.pages, position: message.position }, 'a snapshot is coming')
  }

  /** Acknowledges soon: a primary that has just started does not know this replica's position, and may send nothing. */
  async #resumed(): Promise<void> {
    await this.#step({ kind: 'resume' })
    this.#acknowledgeSoon()
  }

  async #positionStated(signed: SignedPosition): Promise<void> {
    const primary = this.#options.onSigned(signed)
    if (primary !== undefined) await this.#step({ kind: 'position-stated', primary })
  }

  async #bulk({ kind, last, payload }: BulkChunk): Promise<void> {
    if (kind === BULK_SNAPSHOT) return this.#snapshotChunk(payload, last)
    this.#partsBytes += payload.length
    if (this.#partsBytes > SEGMENT_BYTES_MAX) throw violation('a segment that is too large')
    this.#parts.push(payload)
    if (!last) return
    const bytes = Buffer.concat(this.#parts)
    this.#parts = []
    this.#partsBytes = 0
    await this.#segment(bytes)
  }

  async #segment(bytes: Buffer): Promise<void> {
    try {
      const segment = decodeSegment(bytes)
      await this.#step({ kind: 'segment-arrived', header: segment.header }, async (effect) => {
        await this.#options.copy.apply(segment, effect.next)
      })
    } catch (error) {
      if (!(error instanceof MacaroondError) || error.code !== 'segment_corrupt') throw error
      this.#options.log.error({ error: reportOf(error) }, 'the primary sent a damaged segment')
      await this.#step({ kind: 'segment-damaged' })
    }
  }

  async #snapshotChunk(payload: Uint8Array, last: boolean): Promise<void> {
    const incoming = this.#incoming
    if (incoming === undefined) throw violation('a snapshot that was not announced')
    incoming.file.write(payload)
    if (!last) return
    const header = incoming.file.finish()
    if (header.commit !== incoming.pages) throw violation('a snapshot that differs from the announced one')
    await this.#step({ kind: 'snapshot-arrived', header, primary: incoming.primary }, async (effect) => {
      await this.#options.copy.install(incoming.file, header.commit, effect.next)
      this.#options.log.info({ position: positionText(effect.next.position) }, 'snapshot installed')
    })
    this.#incoming = undefined
    incoming.file.discard()
  }

  /** Runs the core and carries out its effect. `store` writes, for the effects `apply` and `install`. */
  async #step(event: FollowerEvent, store?: (effect: StoreEffect) => Promise<void>): Promise<void> {
    const { state, effect } = stepFollower(this.#state, event)
    this.#state = state
    if (effect === undefined) return
    switch (effect.kind) {
      case 'apply':
      case 'install':
        return this.#store(effect, store)
      case 'resync':
        this.#options.log.warn({ reason: effect.reason }, 'requesting a snapshot')
        return this.#send({ t: 'resync', reason: effect.reason })
      case 'violation':
        throw violation(effect.message)
      case 'diverged':
        this.#options.onDiverged(effect.message)
        throw new MacaroondError('position_diverged', effect.message, {
          hint: 'the primary’s disk or this replica’s was put back to an older copy; find out which before you delete either',
        })
    }
  }

  async #store(effect: StoreEffect, store: ((effect: StoreEffect) => Promise<void>) | undefined): Promise<void> {
    try {
      await store?.(effect)
    } catch (error) {
      if (isDamage(error)) this.#abandon(error)
      throw error
    }
    this.#state = stepFollower(this.#state, { kind: 'stored', applied: effect.next }).state
    this.#options.onApplied()
    this.#acknowledgeSoon()
  }

  #acknowledgeSoon(): void {
    this.#acknowledging ??= this.#options.clock.after(ACKNOWLEDGE_MS, () => this.#acknowledge())
  }

  /** Ends the node after a failed sync. After any other error the supervisor reconnects. Returns the error. */
  #endAfterFailedSync(error: MacaroondError): MacaroondError {
    if (error.code === 'sync_failed') this.#options.onFatal(error)
    return error
  }

  #abandon(error: MacaroondError): void {
    this.#options.copy.abandon(error)
    this.#state = stepFollower(this.#state, { kind: 'damaged' }).state
  }

  #acknowledge(): void {
    this.#acknowledging = undefined
    const { applied } = this.#state
    if (applied === undefined || applied === this.#acknowledged) return
    try {
      this.#options.copy.sync()
      this.#options.onDurable()
    } catch (error) {
      return this.#options.onFatal(error)
    }
    this.#acknowledged = applied
    void this.#send({ t: 'ack', position: positionText(applied.position) })
    this.#acknowledging = this.#options.clock.after(ACKNOWLEDGE_AGAIN_MS, () => this.#acknowledge())
  }

  async #send(message: FromReplica): Promise<void> {
    // If the connection has just ended, its reader reports the error.
    await this.#connection?.send(encodeMessage(message)).catch(() => undefined)
  }

  #leave(): void {
    this.#acknowledging?.()
    this.#acknowledging = undefined
    this.#acknowledged = undefined
    this.#connection = undefined
    this.#parts = []
    this.#partsBytes = 0
    this.#incoming?.file.discard()
    this.#incoming = undefined
    this.#state = stepFollower(this.#state, { kind: 'disconnected' }).state
  }
}

type StoreEffect = Extract<Effect, { kind: 'apply' | 'install' }>

function decodeWelcome(connection: Connection): { readonly position: string; readonly timeline: string } {
  const welcome = walWelcome.safeParse(connection.hello)
  if (welcome.success) return welcome.data
  throw violation('a welcome without a position')
}

function violation(what: string): MacaroondError {
  return new MacaroondError('protocol_violation', what.startsWith('the primary') ? what : `the primary sent ${what}`)
}
