/**
 * The `wal` channel, replica to primary: segments and snapshots one way, acknowledgements the other.
 *
 * The replica's hello has its position. The primary's welcome has the primary's position, or the primary refuses
 * (position_diverged). Then the primary sends
 *
 * - {"t":"resume"}, and the segments after the replica's position as bulk frames; or
 * - {"t":"snapshot", …}, one LTX snapshot as bulk frames, and the segments after it;
 * - at intervals {"t":"position", …}, its own position, signed.
 *
 * The replica answers {"t":"ack", …} when a position is durable on it. If a segment does not fit its database, it answers
 * {"t":"resync", …} and gets a snapshot.
 */
import { z } from 'zod'
import { bootId } from '../freshness/boot-id.ts'
import { signedPosition, type SignedPosition } from './signed-position.ts'

// A type, not an interface: it is sent as JSON, which wants an index signature.
export type WalHello = {
  /** Position text, null on a replica without a database. */
  readonly position: string | null
  readonly timeline: string | null
  /** The newest position signed by the authority that this replica has received. */
  readonly signed: SignedPosition | null
  /** A timeline, and the number up to which this replica has all its revocations, from pages or stream. */
  readonly revocations: { readonly timeline: string; readonly seq: number } | null
  /** Boot id of this process. */
  readonly boot: string
}

export const walHello: z.ZodType<WalHello> = z.object({
  position: z.string().max(64).nullable(),
  timeline: z.string().length(32).nullable(),
  signed: signedPosition.nullable(),
  revocations: z.object({ timeline: z.string().length(32), seq: z.number().int().nonnegative() }).nullable(),
  boot: bootId,
})

export interface WalWelcome {
  readonly position: string
  readonly timeline: string
}

export const walWelcome: z.ZodType<WalWelcome> = z.object({
  position: z.string().max(64),
  timeline: z.string().length(32),
})

export type ToReplica =
  | { readonly t: 'resume' }
  | { readonly t: 'snapshot'; readonly position: string; readonly timeline: string; readonly pages: number }
  | { readonly t: 'position'; readonly signed: SignedPosition }

export const toReplica: z.ZodType<ToReplica> = z.discriminatedUnion('t', [
  z.object({ t: z.literal('resume') }),
  z.object({
    t: z.literal('snapshot'),
    position: z.string().max(64),
    timeline: z.string().length(32),
    pages: z.number().int().positive(),
  }),
  z.object({ t: z.literal('position'), signed: signedPosition }),
])

export type FromReplica =
  | { readonly t: 'ack'; readonly position: string }
  | { readonly t: 'resync'; readonly reason: string }

export const fromReplica: z.ZodType<FromReplica> = z.discriminatedUnion('t', [
  z.object({ t: z.literal('ack'), position: z.string().max(64) }),
  z.object({ t: z.literal('resync'), reason: z.string().max(256) }),
])
