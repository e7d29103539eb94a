/**
 * The `revocations` channel, replica to primary. It has a connection of its own, so that a new revocation waits for no segment
 * or snapshot. The replica's hello names a timeline, and the number up to which the replica has all its revocations. The
 * primary sends later rows as they are committed. The replica acknowledges rows once they are on its disk, and reports them as
 * covered once all its workers are. Its pings request freshness leases.
 */
import { z } from 'zod'
import { bootId } from '../freshness/boot-id.ts'
import { CLOCK_RATE_ERROR_MAX, KEKS_MAX } from '../limits.ts'
import { reportedDenials, type ReportedDenials } from './denials.ts'
import { signedPosition, type SignedPosition } from './signed-position.ts'
import { revoked, type Revoked } from './stretch.ts'

// A type, not an interface: it is sent as JSON, which wants an index signature.
export type RevocationsHello = {
  readonly timeline: string | null
  /** The highest revocation that this replica has without a gap; 0 for none. */
  readonly seq: number
  /** Boot id of this process. Its acknowledgements cover the workers of this process only. */
  readonly boot: string
  /** Ids of the KEKs it has, which reveal nothing of them. A rotation waits until every replica has the new KEK. */
  readonly keks: readonly string[]
  /** Number of denials that it enforces; undefined from an older replica. */
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
  /** Boot id of the primary's process. */
  readonly boot: string
  /** Interval between pings, in milliseconds. */
  readonly pingMs: number
  /** The published bound B of this cluster in milliseconds, and the error of clock rates that it assumes. */
  readonly boundMs: number
  readonly clockRateError: number
  /** True if the primary asks for denials. It is sent only to a replica whose hello counts them. */
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

/** The primary's answer to a ping: its position at that time, and the length of the lease, which runs from the ping. */
export interface Granted {
  readonly t: 'granted'
  readonly id: number
  readonly epoch: number
  readonly timeline: string
  readonly seq: number
  readonly txid: number
  /** Milliseconds; 0 while the primary grants none: its position is not confirmed, or there are too many holders. */
  readonly leaseMs: number
  readonly boot: string
  /** Its wall clock, and the latest time that it believes it may be (0 while it doubts its clock). Unix milliseconds. */
  readonly wallMs: number
  readonly believedMs: number
  /** A position of the authority at most 50 ms old, with its signature. */
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
  /** Revocations up to this number are on the replica's disk. */
  | { readonly t: 'ack'; readonly seq: number }
  /**
   * No worker of this process judges without the revocations up to this number: each has applied them, or its lease has ended.
   */
  | { readonly t: 'covered'; readonly seq: number }
  | { readonly t: 'ping'; readonly id: number; readonly wallMs: number }
  /** Only if the welcome asked for them. */
  | ReportedDenials

const seq = z.number().int().nonnegative()

export const fromStream: z.ZodType<FromStream> = z.discriminatedUnion('t', [
  z.object({ t: z.literal('ack'), seq }),
  z.object({ t: z.literal('covered'), seq }),
  z.object({ t: z.literal('ping'), id: z.number().int().positive(), wallMs: z.number().nonnegative() }),
  reportedDenials,
])
