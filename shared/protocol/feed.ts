/**
 * The `feed` channel, worker to replica: what a worker's cache must know. The worker's hello says up to which revocation it
 * has applied all of a timeline; the replica sends the rows after it as they come, and answers pings with sub-leases of its
 * own lease of freshness. A worker acknowledges what it has applied, so that its replica can say when it is covered.
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
  /** Names the worker's process: another one of the same peer holds another cache. */
  readonly boot: string
  /** History that `seq` counts in; null as long as there is nothing to keep. */
  readonly timeline: string | null
  readonly seq: number
}

export const feedHello: z.ZodType<FeedHello> = z.object({ boot: bootId, timeline: timeline.nullable(), seq: count })

export type FeedWelcome = {
  /** Names the replica's process. */
  readonly boot: string
  readonly region: string
  /** How often to ping, in milliseconds. */
  readonly pingMs: number
}

export const feedWelcome: z.ZodType<FeedWelcome> = z.object({
  boot: bootId,
  region: z.string().max(128),
  pingMs: z.number().min(PING_INTERVAL_MS_MIN).max(LEASE_MS_MAX),
})

/** The first message, and again whenever rows are not to be had without a gap. */
export interface FeedBegin {
  readonly t: 'begin'
  readonly epoch: number
  readonly timeline: string
  /** The rows that come begin after this one. A cache that is not there, in this history, is worth nothing. */
  readonly seq: number
}

/** The replica's answer to a ping: where it stood when it answered, and what it may give on of its own lease. */
export interface FeedGranted {
  readonly t: 'granted'
  readonly id: number
  readonly boot: string
  readonly epoch: number
  readonly timeline: string
  /** Every row up to this one was sent before, on this connection. */
  readonly seq: number
  readonly txid: number
  /** At most what is left of the replica's own lease; 0 when it gives none. */
  readonly leaseMs: number
  /** How old the replica's own state was. */
  readonly ageMs: number
  /** What the replica believes of the time, unix milliseconds. */
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
  /** No entry of this worker's cache is without the revocations up to this one any more. */
  | { readonly t: 'ack'; readonly epoch: number; readonly seq: number }

export const fromWorker: z.ZodType<FromWorker> = z.discriminatedUnion('t', [
  z.object({ t: z.literal('ping'), id: z.number().int().positive() }),
  z.object({ t: z.literal('ack'), epoch: count, seq: count }),
])
