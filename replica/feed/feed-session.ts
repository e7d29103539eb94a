/**
 * One worker on the `feed` channel. Rows go out as they come; a ping is answered behind every row that was known by then,
 * so that a worker that has read the answer has read those. Whoever does not read is not answered, and then cut off: its
 * lease ends by itself, and nobody else waits for it.
 */
import type { Connection } from '../../shared/channel/connection.ts'
import type { Clock, Timers } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { GrantBook } from '../../shared/freshness/grant-book.ts'
import type { HolderName } from '../../shared/freshness/grants.ts'
import { startAllowance, takePing, type PingAllowance } from '../../shared/freshness/ping-limit.ts'
import { FEED_STALL_MS_MAX } from '../../shared/limits.ts'
import {
  type FeedGranted,
  type FeedHello,
  fromWorker,
  type FromWorker,
  type ToWorker,
} from '../../shared/protocol/feed.ts'
import { decodeMessage, encodeMessage } from '../../shared/protocol/message.ts'
import type { History } from '../revocations/history.ts'
import type { RecentRows } from './recent-rows.ts'

/** What a replica gives on of its own lease at this moment. */
export type SubLease = Pick<FeedGranted, 'txid' | 'leaseMs' | 'ageMs' | 'earliestMs' | 'latestMs'>

export interface FeedSessionOptions {
  readonly connection: Connection
  readonly hello: FeedHello
  readonly rows: RecentRows
  readonly grants: GrantBook
  readonly boot: string
  readonly subLease: () => SubLease
  readonly clock: Pick<Clock, 'monotonicMs'> & Pick<Timers, 'after'>
}

/** What this worker was told to count in, and how far it was sent everything. */
interface Sent extends History {
  readonly seq: number
}

export class FeedSession {
  readonly #options: FeedSessionOptions
  readonly #holder: HolderName
  #sent: Sent | undefined
  #wake: () => void = () => undefined
  /** While the connection takes nothing, nothing is written. */
  #stalled = false
  #pings: PingAllowance

  constructor(options: FeedSessionOptions) {
    this.#options = options
    this.#pings = startAllowance(options.clock.monotonicMs())
    this.#holder = { peer: options.connection.remotePeer, boot: options.hello.boot }
  }

  /** Ends, or throws, when the connection does. */
  async run(): Promise<void> {
    this.#send()
    await Promise.race([this.#goOnForever(), this.#readForever(), this.#options.connection.closed])
  }

  /** A revocation came. It is written in this very turn. */
  notify(): void {
    this.#send()
    if (this.#stalled) this.#wake()
  }

  async #goOnForever(): Promise<void> {
    for (;;) {
      if (!this.#stalled) await new Promise<void>((resolve) => (this.#wake = resolve))
      await drained(this.#options)
      this.#stalled = false
      this.#send()
    }
  }

  /** Until the worker was sent everything, or its connection takes no more. */
  #send(): void {
    const { rows } = this.#options
    for (;;) {
      const { history } = rows
      if (this.#stalled || history === undefined) return
      if (this.#sent?.timeline !== history.timeline || !rows.has(this.#sent.seq)) this.#begin(history)
      else if (this.#sent.seq < rows.last) this.#sendNext(this.#sent)
      else return
    }
  }

  /** Where the worker is, if all the rows after that are here; with nothing from the newest otherwise. */
  #begin(history: History): void {
    const { rows, hello } = this.#options
    const goesOn = this.#sent === undefined && hello.timeline === history.timeline && rows.has(hello.seq)
    this.#sent = { ...history, seq: goesOn ? hello.seq : rows.last }
    this.#write({ t: 'begin', ...this.#sent })
  }

  #sendNext(sent: Sent): void {
    const { last, message } = this.#options.rows.after(sent.seq)
    this.#sent = { ...sent, seq: last }
    this.#writeBytes(message)
  }

  async #readForever(): Promise<void> {
    for await (const frame of this.#options.connection.messages()) this.#receive(decodeMessage(frame, fromWorker))
  }

  #receive(message: FromWorker): void {
    if (message.t === 'ping') return this.#answer(message.id)
    const { epoch, seq } = message
    const sent = this.#sent
    // Of the history before, or what was never sent: that says nothing of what this worker was told.
    if (sent?.epoch !== epoch || seq > sent.seq) return
    this.#options.grants.acknowledge(this.#holder, { epoch, seq })
  }

  /** The sub-lease is asked for first: it may be of a state that this worker was not sent yet. */
  #answer(id: number): void {
    const { boot, subLease, clock } = this.#options
    const pings = takePing(this.#pings, clock.monotonicMs())
    if (pings === undefined) return
    this.#pings = pings
    const { leaseMs, ...state } = subLease()
    this.#send()
    if (this.#stalled || this.#sent === undefined) return
    this.#write({ t: 'granted', id, boot, ...this.#sent, ...state, leaseMs: this.#grant(leaseMs, this.#sent) })
    if (this.#stalled) this.#wake()
  }

  /** Recorded before the answer goes out. */
  #grant(leaseMs: number, { epoch, seq }: Sent): number {
    if (leaseMs <= 0) return 0
    return this.#options.grants.grant(this.#holder, { mark: { epoch, seq }, leaseMs }) ? leaseMs : 0
  }

  #write(message: ToWorker): void {
    this.#writeBytes(encodeMessage(message))
  }

  #writeBytes(message: Uint8Array): void {
    this.#stalled = !this.#options.connection.write(message)
  }
}

/** Rejects when the connection has ended, as it does for who reads nothing for too long. */
async function drained({ connection, clock }: FeedSessionOptions): Promise<void> {
  const callOff = clock.after(FEED_STALL_MS_MAX, () => connection.abort(tooSlow()))
  try {
    await connection.drained()
  } finally {
    callOff()
  }
}

function tooSlow(): MacaroondError {
  return new MacaroondError('overloaded', `this worker has read nothing for ${FEED_STALL_MS_MAX} ms`)
}
