/**
 * The `revocations` channel, replica to primary: small, on a connection of its own, so that a new revocation passes every
 * segment and snapshot that is on its way. The replica's hello says up to which revocation it has all of a timeline; the
 * primary sends the rows after it, as they are committed, and the replica acknowledges what is on its disk.
 */
import { z } from 'zod'

/** Rows in one message; 500 rows are about 60 KB. */
export const REVOCATIONS_A_MESSAGE = 500

// A type, not an interface: it is sent as JSON, which wants an index signature.
export type RevocationsHello = {
  readonly timeline: string | null
  /** Highest revocation this replica has without a gap; 0 for none. */
  readonly seq: number
}

export const revocationsHello: z.ZodType<RevocationsHello> = z.object({
  timeline: z.string().length(32).nullable(),
  seq: z.number().int().nonnegative(),
})

export interface RevocationsWelcome {
  readonly timeline: string
  readonly epoch: number
  readonly seq: number
}

export const revocationsWelcome: z.ZodType<RevocationsWelcome> = z.object({
  timeline: z.string().length(32),
  epoch: z.number().int().nonnegative(),
  seq: z.number().int().nonnegative(),
})

/** One revoked token. A kind that a replica does not know makes it unavailable (V7): it must not guess. */
export interface RevocationRow {
  readonly seq: number
  readonly kind: string
  readonly kid: string
  readonly nonce: string
  /** Unix seconds after which no token with this id can live; 0 for never. */
  readonly expiresAt: number
}

export const KIND_TOKEN = 'token'

export const revocationRow: z.ZodType<RevocationRow> = z.object({
  seq: z.number().int().positive(),
  kind: z.string().max(32),
  kid: z.string().regex(/^[0-9a-f]{16}$/),
  nonce: z.string().regex(/^[0-9a-f]{32}$/),
  expiresAt: z.number().int().nonnegative(),
})

export interface Revoked {
  readonly t: 'revoked'
  /** Rows follow each other without a gap, and the first follows the last one sent on this connection. */
  readonly rows: readonly RevocationRow[]
}

export const revoked: z.ZodType<Revoked> = z.object({
  t: z.literal('revoked'),
  rows: z.array(revocationRow).min(1).max(REVOCATIONS_A_MESSAGE),
})

export interface RevokedAck {
  readonly t: 'ack'
  readonly seq: number
}

export const revokedAck: z.ZodType<RevokedAck> = z.object({ t: z.literal('ack'), seq: z.number().int().nonnegative() })
