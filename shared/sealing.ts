/**
 * Seals secrets at rest: AES-256-GCM under the key-encryption key (KEK). Cluster, org and key id are the associated data,
 * so a sealed key that was moved to another row, org or cluster does not open (S11).
 *
 * | offset | size | field |
 * |---|---|---|
 * | 0 | 1 | version, 1 |
 * | 1 | 4 | id of the KEK: the first bytes of HMAC-SHA256(KEK, "macaroond kek id") |
 * | 5 | 12 | random nonce |
 * | 17 | n | ciphertext |
 * | 17 + n | 16 | GCM tag |
 */
import { hmac, openAead, sealAead } from './crypto.ts'
import type { Entropy } from './clock.ts'
import { MacaroondError } from './errors.ts'

const VERSION = 1
const KEK_ID_BYTES = 4
const NONCE_BYTES = 12
const HEADER_BYTES = 1 + KEK_ID_BYTES + NONCE_BYTES
const TAG_BYTES = 16

export interface Kek {
  /** Names the KEK without revealing it; 8 hex digits. */
  readonly id: string
  readonly key: Uint8Array
}

/** The cluster, org and key that a sealed secret belongs to. All three are authenticated. */
export interface SealContext {
  readonly cluster: string
  /** Empty for secrets of the authority itself. */
  readonly org: string
  readonly kid: string
}

export function kekFromHex(hex: string): Kek {
  const key = Buffer.from(hex, 'hex')
  const id = Buffer.from(hmac(key, Buffer.from('macaroond kek id'))).toString('hex', 0, KEK_ID_BYTES)
  return { id, key }
}

export function seal(kek: Kek, context: SealContext, secret: Uint8Array, entropy: Entropy): Buffer {
  const nonce = entropy.bytes(NONCE_BYTES)
  const header = Buffer.concat([Buffer.from([VERSION]), Buffer.from(kek.id, 'hex'), nonce])
  return Buffer.concat([header, sealAead({ key: kek.key, nonce, associated: associated(context), plaintext: secret })])
}

/** Id of the KEK that sealed this. */
export function kekIdOf(sealed: Uint8Array): string {
  return Buffer.from(sealed.subarray(1, 1 + KEK_ID_BYTES)).toString('hex')
}

/** Throws kek_wrong if no key of the ring sealed this, or if it was moved or changed. */
export function unseal(ring: readonly Kek[], context: SealContext, sealed: Uint8Array): Buffer {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength)
  if (bytes.length < HEADER_BYTES + TAG_BYTES || bytes[0] !== VERSION) throw cannotOpen(context, 'it is malformed')
  const id = kekIdOf(bytes)
  const kek = ring.find((candidate) => candidate.id === id)
  if (kek === undefined) throw cannotOpen(context, `it was sealed with key-encryption key ${id}, which is not at hand`)
  const nonce = bytes.subarray(1 + KEK_ID_BYTES, HEADER_BYTES)
  const opened = openAead({
    key: kek.key,
    nonce,
    associated: associated(context),
    sealed: bytes.subarray(HEADER_BYTES),
  })
  if (opened === undefined) throw cannotOpen(context, 'its authentication tag does not match')
  return opened
}

/** JSON marks where each field ends, so two different contexts never have the same encoding. */
function associated(context: SealContext): Buffer {
  return Buffer.from(JSON.stringify(['macaroond seal 1', context.cluster, context.org, context.kid]))
}

function cannotOpen(context: SealContext, why: string): MacaroondError {
  return new MacaroondError(
    'kek_wrong',
    `cannot open the sealed key ${context.kid} of ${context.org || 'the authority'}: ${why}`,
    {
      hint: 'check that [kek] is the key this database was made with',
    },
  )
}
