/**
 * Serves one worker on the `feed` channel. Rows are sent as they arrive. Before a ping is answered, all known rows are sent, so
 * a worker that has read the answer has those rows. A worker that does not read gets no answers and is then disconnected: its
 * lease runs out, and the revocations of other workers do not wait for it.
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

/** The part of its own lease that a replica can grant to a worker now. */
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

/** The history in the last `begin` to this worker, and the number up to which all rows were sent. */
interface Sent extends History {
  readonly seq: number
}

export class FeedSession {
  readonly #options: FeedSessionOptions
  readonly #holder: HolderName
  #sent: Sent | undefined
  #wake: () => void = () => undefined
  /** True while the connection's buffer is full; then nothing is written. */
  #stalled = false
  #pings: PingAllowance

  constructor(options: FeedSessionOptions) {
    this.#options = options
    this.#pings = startAllowance(options.clock.monotonicMs())
    this.#holder = { peer: options.connection.remotePeer, boot: options.hello.boot }
  }

  /** Serves the worker until the connection ends. Throws its error. */
  async run(): Promise<void> {
    this.#send()
    await Promise.race([this.#sendAfterStallsForever(), this.#readForever(), this.#options.connection.closed])
  }

  /** To be called when revocations have arrived. They are written in this turn of the event loop. */
  notify(): void {
    this.#send()
    if (this.#stalled) this.#wake()
  }

  async #sendAfterStallsForever(): Promise<void> {
    for (;;) {
      if (!this.#stalled) await new Promise<void>((resolve) => (this.#wake = resolve))
      await drained(this.#options)
      this.#stalled = false
      this.#send()
    }
  }

  /** Sends until the worker has everything or the connection's buffer is full. */
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

  /** Resumes at the worker's position if every later row is in memory. Otherwise the worker starts empty at the newest row. */
  #begin(history: History): void {
    const { rows, hello } = this.#options
    const resumes = this.#sent === undefined && hello.timeline === history.timeline && rows.has(hello.seq)
    this.#sent = { ...history, seq: resumes ? hello.seq : rows.last }
    this.#write({ t: 'begin', ...this.#sent })
  }

  #sendNext(sent: Sent): void {
    const { last, message } = this.#options.rows.batchAfter(sent.seq)
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
    // An acknowledgement of another epoch, or beyond what was sent, does not count.
    if (sent?.epoch !== epoch || seq > sent.seq) return
    this.#options.grants.acknowledge(this.#holder, { epoch, seq })
  }

  /** Answers a ping. The sub-lease is computed first, because it may require rows that must be sent before the answer. */
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

  /** Records the grant before the answer is sent. Returns the granted length in milliseconds, 0 for none. */
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

/** Resolves when the buffer has room. If the worker reads nothing for too long, the connection ends. Throws if it ends. */
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
