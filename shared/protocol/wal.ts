/**
 * The `wal` channel, replica to primary: segments and snapshots one way, acknowledgements the other.
 *
 * The replica's hello says where it stands; the primary's welcome says where it stands itself, or the primary refuses
 * (position_diverged). Then the primary sends, as often as it needs to, either
 *   {"t":"resume"} and the segments after the replica's position as bulk frames, or
 *   {"t":"snapshot", …} and one LTX snapshot as bulk frames, then the segments after it,
 * and now and then {"t":"position", …}, its own position signed. The replica answers {"t":"ack", …} for what is durable
 * with it, and {"t":"resync", …} when a segment does not fit what it has: it then gets a snapshot.
 */
import { z } from 'zod'
import { bootId } from '../freshness/boot-id.ts'
import { signedPosition, type SignedPosition } from './signed-position.ts'

// A type, not an interface: it is sent as JSON, which wants an index signature.
export type WalHello = {
  /** Position text, null on a replica without a database. */
  readonly position: string | null
  readonly timeline: string | null
  /** The newest position this replica has that the authority signed. */
  readonly signed: SignedPosition | null
  /** Up to which revocation it has all of a timeline, from pages or ahead of them. */
  readonly revocations: { readonly timeline: string; readonly seq: number } | null
  /** Names this process. */
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
