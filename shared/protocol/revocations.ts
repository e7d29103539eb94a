/**
 * The `revocations` channel, replica to primary: small, on a connection of its own, so that a new revocation passes every
 * segment and snapshot that is on its way. The replica's hello says up to which revocation it has all of a timeline; the
 * primary sends the rows after it, as they are committed, and the replica acknowledges what is on its disk, and then what
 * every worker behind it is covered for. Its pings ask how fresh it is; the answers are leases of freshness.
 */
import { z } from 'zod'
import { bootId } from '../freshness/boot-id.ts'
import { CLOCK_RATE_ERROR_MAX, KEKS_MAX } from '../limits.ts'
import { toldDenials, type ToldDenials } from './denials.ts'
import { signedPosition, type SignedPosition } from './signed-position.ts'
import { revoked, type Revoked } from './stretch.ts'

// A type, not an interface: it is sent as JSON, which wants an index signature.
export type RevocationsHello = {
  readonly timeline: string | null
  /** Highest revocation this replica has without a gap; 0 for none. */
  readonly seq: number
  /** Names this process: what it acknowledges covers the workers of this very process only. */
  readonly boot: string
  /** Ids of the key-encryption keys at hand: a rotation waits until every replica has the new one. They reveal nothing. */
  readonly keks: readonly string[]
  /** How many revocations of undone histories it goes on refusing by; undefined from an older replica. */
  readonly denials?: number | undefined
}

export const revocationsHello: z.ZodType<RevocationsHello> = z.object({
  timeline: z.string().length(32).nullable(),
  seq: z.number().int().nonnegative(),
  boot: bootId,
  keks: z.array(z.string().regex(/^[0-9a-f]{8}$/)).max(KEKS_MAX),
  denials: z.number().int().nonnegative().optional(),
})

export interface RevocationsWelcome {
  readonly timeline: string
  readonly epoch: number
  readonly seq: number
  /** Names the primary's process. */
  readonly boot: string
  /** How often to ping. */
  readonly pingMs: number
  /** The published bound B of this cluster, and the error of clock rates that it allows for. */
  readonly boundMs: number
  readonly clockRateError: number
  /** It wants to be told of denials; said only to a replica whose hello names them. */
  readonly denials?: true | undefined
}

export const revocationsWelcome: z.ZodType<RevocationsWelcome> = z.object({
  timeline: z.string().length(32),
  epoch: z.number().int().nonnegative(),
  seq: z.number().int().nonnegative(),
  boot: bootId,
  pingMs: z.number().positive(),
  boundMs: z.number().positive(),
  clockRateError: z.number().nonnegative().max(CLOCK_RATE_ERROR_MAX),
  denials: z.literal(true).optional(),
})

/** The primary's answer to a ping: where it stood when it answered, and how long that may be relied on from the ping on. */
export interface Granted {
  readonly t: 'granted'
  readonly id: number
  readonly epoch: number
  readonly timeline: string
  readonly seq: number
  readonly txid: number
  /** 0 while the primary gives none: its own position is not confirmed, or there are too many holders. */
  readonly leaseMs: number
  readonly boot: string
  /** Its wall clock, and the latest time that it believes it may be: 0 while it doubts its clock. */
  readonly wallMs: number
  readonly believedMs: number
  /** Where the authority stood at most 50 ms before, proven. */
  readonly signed: SignedPosition
}

const granted = z.object({
  t: z.literal('granted'),
  id: z.number().int().positive(),
  epoch: z.number().int().nonnegative(),
  timeline: z.string().length(32),
  seq: z.number().int().nonnegative(),
  txid: z.number().int().nonnegative(),
  leaseMs: z.number().nonnegative(),
  boot: bootId,
  wallMs: z.number().nonnegative(),
  believedMs: z.number().nonnegative(),
  signed: signedPosition,
})

export type ToStream = Revoked | Granted

export const toStream: z.ZodType<ToStream> = z.discriminatedUnion('t', [revoked, granted])

export type FromStream =
  /** Revocations up to here are on this replica's disk. */
  | { readonly t: 'ack'; readonly seq: number }
  /** No worker of this process judges without those up to here: each has applied them, or its lease has run out. */
  | { readonly t: 'covered'; readonly seq: number }
  | { readonly t: 'ping'; readonly id: number; readonly wallMs: number }
  /** Only where the welcome asked for it. */
  | ToldDenials

const seq = z.number().int().nonnegative()

export const fromStream: z.ZodType<FromStream> = z.discriminatedUnion('t', [
  z.object({ t: z.literal('ack'), seq }),
  z.object({ t: z.literal('covered'), seq }),
  z.object({ t: z.literal('ping'), id: z.number().int().positive(), wallMs: z.number().nonnegative() }),
  toldDenials,
])
