/**
 * Tickets. A ticket carries the caveat key and a condition to the third party, sealed so that the holder of the token can
 * neither read nor change them. It is sealed with a key that both sides share, or to the third party's X25519 public key.
 * FORMAT.md has the offsets.
 */
import type { Entropy } from '../clock.ts'
import {
  hmac,
  openSecretbox,
  openWithPrivateKey,
  SEALED_BOX_OVERHEAD_BYTES,
  sealSecretbox,
  sealToPublicKey,
  SECRETBOX_NONCE_BYTES,
  SECRETBOX_TAG_BYTES,
} from '../crypto.ts'
import { KEY_BYTES } from '../hmac.ts'
import { assert, MacaroondError } from '../errors.ts'
import { CAVEAT_BYTES_MAX, CONDITION_BYTES_MAX } from '../limits.ts'
import { decodeUtf8, encodeUtf8 } from './utf8.ts'

export interface Ticket {
  /** 32 bytes: the secret that the discharge is made with, before libmacaroons' derivation. */
  readonly caveatKey: Uint8Array
  /** The condition that the third party must confirm, in its own language. 1 to 2048 bytes of UTF-8. */
  readonly condition: string
}

/** 32 bytes each. Anybody who has the shared key can both seal and open tickets with it. */
export type TicketRecipient = { readonly sharedKey: Uint8Array } | { readonly publicKey: Uint8Array }
export type TicketKey = { readonly sharedKey: Uint8Array } | { readonly privateKey: Uint8Array }

/** `mct` and a version. It is text, so no ticket begins like an identifier of this authority. */
const MAGIC = Buffer.from('mct1')
const SCHEME_AT: number = MAGIC.length
const SEALED_AT: number = SCHEME_AT + 1
const SCHEME_SHARED = 0x73 // 's'
const SCHEME_PUBLIC = 0x70 // 'p'

/** Separates this use of a shared key from others, so that nothing else sealed with it can pass as a ticket. */
const SHARED_USE = Buffer.from('macaroond ticket 1')

/** Throws caveat_malformed for the condition, key_malformed for the recipient's key. */
export function sealTicket(ticket: Ticket, recipient: TicketRecipient, entropy: Entropy): Uint8Array {
  assert(ticket.caveatKey.length === KEY_BYTES, 'the caveat key of a ticket has 32 bytes')
  const condition = encodeUtf8(ticket.condition)
  if (condition === undefined || condition.length === 0 || condition.length > CONDITION_BYTES_MAX) {
    throw new MacaroondError('caveat_malformed', `a condition has 1 to ${CONDITION_BYTES_MAX} bytes of UTF-8`)
  }
  const plaintext = Buffer.concat([ticket.caveatKey, condition])
  if ('sharedKey' in recipient) {
    return framed(SCHEME_SHARED, sealShared(recipient.sharedKey, plaintext, entropy))
  }
  checkKey(recipient.publicKey)
  const sealed = sealToPublicKey(recipient.publicKey, plaintext, entropy)
  if (sealed === undefined) throw new MacaroondError('key_malformed', 'this is not a usable X25519 public key')
  return framed(SCHEME_PUBLIC, sealed)
}

/**
 * Opens a ticket with the first key that fits. Throws token_unsupported for a newer version, key_malformed for a key of
 * another length, and ticket_invalid for everything else: the sender must not learn which check failed.
 */
export function openTicket(ticket: Uint8Array, keys: readonly TicketKey[]): Ticket {
  const bytes = Buffer.from(ticket.buffer, ticket.byteOffset, ticket.length)
  checkFrame(bytes)
  const sealed = bytes.subarray(SEALED_AT)
  for (const key of keys) {
    const plaintext = openWith(key, bytes[SCHEME_AT], sealed)
    if (plaintext !== undefined) return ticketOf(plaintext)
  }
  throw invalid('it was not sealed for this third party, or it was changed')
}

/** True for tickets of `sealTicket`, and for newer versions of them. */
export function looksLikeTicket(bytes: Uint8Array): boolean {
  return bytes[0] === MAGIC[0] && bytes[1] === MAGIC[1] && bytes[2] === MAGIC[2]
}

function checkFrame(bytes: Buffer): void {
  if (bytes.length > CAVEAT_BYTES_MAX) throw invalid(`it has more than ${CAVEAT_BYTES_MAX} bytes`)
  if (bytes.subarray(0, SCHEME_AT).equals(MAGIC)) return
  if (/^mct[2-9]/.test(bytes.toString('latin1', 0, SCHEME_AT))) {
    throw new MacaroondError('token_unsupported', 'the ticket is of a newer version', { hint: 'upgrade this program' })
  }
  throw invalid('another program made it')
}

function openWith(key: TicketKey, scheme: number | undefined, sealed: Buffer): Buffer | undefined {
  if ('sharedKey' in key) return scheme === SCHEME_SHARED ? openShared(key.sharedKey, sealed) : undefined
  checkKey(key.privateKey)
  return scheme === SCHEME_PUBLIC ? openWithPrivateKey(key.privateKey, sealed) : undefined
}

function sealShared(sharedKey: Uint8Array, plaintext: Uint8Array, entropy: Entropy): Buffer {
  checkKey(sharedKey)
  const nonce = entropy.bytes(SECRETBOX_NONCE_BYTES)
  return Buffer.concat([nonce, sealSecretbox({ key: hmac(sharedKey, SHARED_USE), nonce, plaintext })])
}

function openShared(sharedKey: Uint8Array, sealed: Buffer): Buffer | undefined {
  checkKey(sharedKey)
  if (sealed.length < SECRETBOX_NONCE_BYTES + SECRETBOX_TAG_BYTES) return undefined
  const nonce = sealed.subarray(0, SECRETBOX_NONCE_BYTES)
  return openSecretbox({ key: hmac(sharedKey, SHARED_USE), nonce, sealed: sealed.subarray(SECRETBOX_NONCE_BYTES) })
}

/** Checks the content as well, because anybody who knows the public key can seal a ticket to it. */
function ticketOf(plaintext: Buffer): Ticket {
  const text = plaintext.subarray(KEY_BYTES)
  const condition = decodeUtf8(text)
  const fits = plaintext.length > KEY_BYTES && text.length <= CONDITION_BYTES_MAX
  if (!fits || condition === undefined) throw invalid('it holds no caveat key and condition')
  return { caveatKey: new Uint8Array(plaintext.subarray(0, KEY_BYTES)), condition }
}

function framed(scheme: number, sealed: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.concat([MAGIC, Buffer.from([scheme]), sealed]))
}

function checkKey(key: Uint8Array): void {
  if (key.length === KEY_BYTES) return
  throw new MacaroondError('key_malformed', `a key for tickets has ${KEY_BYTES} bytes, not ${key.length}`)
}

function invalid(why: string): MacaroondError {
  return new MacaroondError('ticket_invalid', `the ticket cannot be opened: ${why}`, {
    hint: 'check that the caveat was made for this third party, with its current key',
  })
}

assert(
  SEALED_AT +
    Math.max(SEALED_BOX_OVERHEAD_BYTES, SECRETBOX_NONCE_BYTES + SECRETBOX_TAG_BYTES) +
    KEY_BYTES +
    CONDITION_BYTES_MAX <=
    CAVEAT_BYTES_MAX,
  'a ticket with the longest condition fits into a caveat',
)
