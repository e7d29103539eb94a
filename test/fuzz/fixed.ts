/** Keys and chance of the seeds: the same in every run, so that what was found in one can be kept for the next. */
import type { Entropy } from '../../shared/clock.ts'
import { ed25519Private, ed25519PublicKey } from '../../shared/crypto.ts'
import { checksum, epoch, timeline, txid } from '../../shared/ids.ts'
import type { Ticket, TicketKey } from '../../shared/macaroon/ticket.ts'
import type { Position } from '../../shared/position.ts'

const SEED = Buffer.alloc(32, 9)

export const AUTHORITY: { readonly publicKey: Buffer; readonly privateKey: ReturnType<typeof ed25519Private> } = {
  publicKey: ed25519PublicKey(SEED),
  privateKey: ed25519Private(SEED),
}

export const CLUSTER = 'fuzz'
export const TIMELINE: ReturnType<typeof timeline> = timeline('ab'.repeat(16))
export const POSITION: Position = { epoch: epoch(3), txid: txid(77), checksum: checksum(0x8123456789abcdefn) }
export const KID = '00112233445566ff'
export const NONCE = '019a00000000700080000000000000aa'

export const ENTROPY: Entropy = { bytes: (count) => Buffer.alloc(count, 7), uniform: () => 0.5 }

/** The keys that tickets are sealed for; nothing but those tickets themselves may open with them. */
export const TICKET_KEYS: readonly TicketKey[] = [
  { sharedKey: Buffer.alloc(32, 1) },
  { privateKey: Buffer.alloc(32, 2) },
]
export const TICKET: Ticket = { caveatKey: new Uint8Array(32).fill(3), condition: 'may op=read' }
