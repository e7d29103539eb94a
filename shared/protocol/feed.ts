/**
 * The `feed` channel, worker to replica, keeps a worker's cache correct. The worker's hello names a timeline, and the number up
 * to which the worker has all its revocations. The replica sends later rows as they arrive, and answers pings with leases that
 * are part of its own freshness lease. The worker acknowledges applied rows, so that the replica knows when the worker is
 * covered.
 */
import { z } from 'zod'
import { bootId } from '../freshness/boot-id.ts'
import { EPOCH_MAX } from '../ids.ts'
import { LEASE_MS_MAX, PING_INTERVAL_MS_MIN } from '../limits.ts'
import { revoked, type Revoked } from './stretch.ts'

const timeline = z.string().length(32)
const count = z.number().int().nonnegative()
const epoch = count.max(EPOCH_MAX)

// A type, not an interface: it is sent as JSON, which wants an index signature.
export type FeedHello = {
  /** Boot id of the worker's process; another process of the peer has another cache. */
  readonly boot: string
  /** The timeline that `seq` counts in; null if the cache is empty. */
  readonly timeline: string | null
  readonly seq: number
}

export const feedHello: z.ZodType<FeedHello> = z.object({ boot: bootId, timeline: timeline.nullable(), seq: count })

export type FeedWelcome = {
  /** Boot id of the replica's process. */
  readonly boot: string
  readonly region: string
  /** Interval between pings, in milliseconds. */
  readonly pingMs: number
}

export const feedWelcome: z.ZodType<FeedWelcome> = z.object({
  boot: bootId,
  region: z.string().max(128),
  pingMs: z.number().min(PING_INTERVAL_MS_MIN).max(LEASE_MS_MAX),
})

/** The first message. It is sent again whenever the replica cannot send the next rows without a gap. */
export interface FeedBegin {
  readonly t: 'begin'
  readonly epoch: number
  readonly timeline: string
  /** The next rows begin after this number. A cache at any other number or timeline must be dropped. */
  readonly seq: number
}

/** The replica's answer to a ping: its position at that time, and the part of its own lease that it grants. */
export interface FeedGranted {
  readonly t: 'granted'
  readonly id: number
  readonly boot: string
  readonly epoch: number
  readonly timeline: string
  /** Every row up to this number was sent before, on this connection. */
  readonly seq: number
  readonly txid: number
  /** Length of the lease, at most the rest of the replica's own; 0 if it grants none. Milliseconds. */
  readonly leaseMs: number
  /** Age of the replica's own state, in milliseconds. */
  readonly ageMs: number
  /** The earliest and the latest time that the replica believes it may be, unix milliseconds. */
  readonly earliestMs: number
  readonly latestMs: number
}

export type ToWorker = FeedBegin | Revoked | FeedGranted

export const toWorker: z.ZodType<ToWorker> = z.discriminatedUnion('t', [
  z.object({ t: z.literal('begin'), epoch, timeline, seq: count }),
  revoked,
  z.object({
    t: z.literal('granted'),
    id: z.number().int().positive(),
    boot: bootId,
    epoch,
    timeline,
    seq: count,
    txid: count,
    leaseMs: z.number().nonnegative().max(LEASE_MS_MAX),
    ageMs: z.number().nonnegative(),
    earliestMs: z.number().nonnegative(),
    latestMs: z.number().nonnegative(),
  }),
])

export type FromWorker =
  | { readonly t: 'ping'; readonly id: number }
  /** Every entry of this worker's cache takes the revocations up to this number into account. */
  | { readonly t: 'ack'; readonly epoch: number; readonly seq: number }

export const fromWorker: z.ZodType<FromWorker> = z.discriminatedUnion('t', [
  z.object({ t: z.literal('ping'), id: z.number().int().positive() }),
  z.object({ t: z.literal('ack'), epoch: count, seq: count }),
])
