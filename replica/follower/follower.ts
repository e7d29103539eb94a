/** The follower's shell: reads the `wal` channel, lets the core decide, and does what it says. */
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
  /** Where a snapshot lies while it comes in. */
  readonly snapshotPath: string
  readonly clock: Timers
  readonly log: Log
  readonly signed: () => SignedPosition | undefined
  /** Up to which revocation this replica knows all of a timeline. */
  readonly revocations: () => { readonly timeline: Timeline; readonly seq: number } | undefined
  /** The proven standing, or undefined when the signature is not the authority's. */
  readonly onSigned: (signed: SignedPosition) => AppliedState | undefined
  /** A transaction or a snapshot became visible. */
  readonly onApplied: () => void
  /** Everything up to here is durable. */
  readonly onDurable: () => void
  readonly onDiverged: (message: string | undefined) => void
  /** After a failed fsync nobody knows what is on the disk: the node must end, never try again. */
  readonly onFatal: (error: unknown) => void
}

/** The first work after a quiet time is made durable and acknowledged soon, so that whoever looks sees this replica there. */
const ACKNOWLEDGE_MS = 20
/** Under load it is synced this often: replicas sync their WAL for catching up, not for safety, and all else waits meanwhile. */
const ACKNOWLEDGE_AGAIN_MS = 500
/** Work on the event loop before verifications and revocations get their turn. */
const TURN_BYTES = 60 * 1024

interface Incoming {
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
  #incoming: Incoming | undefined
  #acknowledging: CallOff | undefined
  /** What this connection was told last. */
  #acknowledged: AppliedState | undefined

  constructor(options: FollowerOptions) {
    this.#options = options
    this.#state = startFollower(options.copy.standing)
  }

  hello(): WalHello {
    const { standing } = this.#state
    const known = this.#options.revocations()
    return {
      position: standing === undefined ? null : positionText(standing.position),
      timeline: standing?.timeline ?? null,
      signed: this.#options.signed() ?? null,
      revocations: known === undefined ? null : { timeline: known.timeline, seq: known.seq },
      boot: this.#options.boot,
    }
  }

  /** Follows the primary at the other end until the connection ends. Throws what ended it. */
  async follow(connection: Connection, retire: AbortSignal): Promise<void> {
    this.#connection = connection
    retire.addEventListener('abort', () => void connection.close())
    try {
      const { position, timeline: line } = decodeWelcome(connection)
      await this.#step({ kind: 'welcome', primary: { position: parsePosition(position), timeline: timeline(line) } })
      this.#options.onDiverged(undefined)
      await this.#read(connection)
    } catch (error) {
      throw this.#left(storageError(error, 'applying what the primary sent'))
    } finally {
      this.#leave()
    }
  }

  /** The copy's pages are not what was applied: start over from a snapshot. */
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
    if (message.t === 'position') return this.#stated(message.signed)
    const primary = { position: parsePosition(message.position), timeline: timeline(message.timeline) }
    await this.#step({ kind: 'snapshot-begins', primary })
    this.#incoming?.file.discard()
    this.#incoming = { file: new SnapshotFile(this.#options.snapshotPath), primary, pages: message.pages }
    this.#options.log.info({ pages: message.pages, position: message.position }, 'a snapshot is coming')
  }

  /** Says at once what it has on disk: a primary that has just started does not know, and may have nothing to send. */
  async #resumed(): Promise<void> {
    await this.#step({ kind: 'resume' })
    this.#acknowledgeSoon()
  }

  async #stated(signed: SignedPosition): Promise<void> {
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
    if (header.commit !== incoming.pages) throw violation('another snapshot than it announced')
    await this.#step({ kind: 'snapshot-arrived', header, primary: incoming.primary }, async (effect) => {
      await this.#options.copy.install(incoming.file, header.commit, effect.next)
      this.#options.log.info({ position: positionText(effect.next.position) }, 'snapshot installed')
    })
    this.#incoming = undefined
    incoming.file.discard()
  }

  /** Runs the core and its effect; `store` does the writing for those that write. */
  async #step(event: FollowerEvent, store?: (effect: Storing) => Promise<void>): Promise<void> {
    const { state, effect } = stepFollower(this.#state, event)
    this.#state = state
    if (effect === undefined) return
    switch (effect.kind) {
      case 'apply':
      case 'install':
        return this.#store(effect, store)
      case 'resync':
        this.#options.log.warn({ reason: effect.reason }, 'asking for a snapshot')
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

  async #store(effect: Storing, store: ((effect: Storing) => Promise<void>) | undefined): Promise<void> {
    try {
      await store?.(effect)
    } catch (error) {
      if (isDamage(error)) this.#abandon(error)
      throw error
    }
    this.#state = stepFollower(this.#state, { kind: 'stored', standing: effect.next }).state
    this.#options.onApplied()
    this.#acknowledgeSoon()
  }

  #acknowledgeSoon(): void {
    this.#acknowledging ??= this.#options.clock.after(ACKNOWLEDGE_MS, () => this.#acknowledge())
  }

  /** A connection that ends is made again; after a failed sync there must be no next try. */
  #left(error: MacaroondError): MacaroondError {
    if (error.code === 'sync_failed') this.#options.onFatal(error)
    return error
  }

  #abandon(error: MacaroondError): void {
    this.#options.copy.abandon(error)
    this.#state = stepFollower(this.#state, { kind: 'damaged' }).state
  }

  #acknowledge(): void {
    this.#acknowledging = undefined
    const { standing } = this.#state
    if (standing === undefined || standing === this.#acknowledged) return
    try {
      this.#options.copy.sync()
      this.#options.onDurable()
    } catch (error) {
      return this.#options.onFatal(error)
    }
    this.#acknowledged = standing
    void this.#send({ t: 'ack', position: positionText(standing.position) })
    this.#acknowledging = this.#options.clock.after(ACKNOWLEDGE_AGAIN_MS, () => this.#acknowledge())
  }

  async #send(message: FromReplica): Promise<void> {
    // A connection that just ended takes nothing more; its reader says why.
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

type Storing = Extract<Effect, { kind: 'apply' | 'install' }>

function decodeWelcome(connection: Connection): { readonly position: string; readonly timeline: string } {
  const welcome = walWelcome.safeParse(connection.hello)
  if (welcome.success) return welcome.data
  throw violation('a welcome without a position')
}

function violation(what: string): MacaroondError {
  return new MacaroondError('protocol_violation', what.startsWith('the primary') ? what : `the primary sent ${what}`)
}
