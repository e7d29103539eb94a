/**
 * The identifier of a token of this authority: key, nonce, expiry, ancestors and subject. The root HMAC covers it, so its
 * content is fixed at the mint and a holder cannot change it. FORMAT.md has the offsets.
 */
import { assert, MacaroondError } from '../errors.ts'
import type { Kid, Nonce } from '../ids.ts'
import { KID_BYTES, NONCE_BYTES } from '../ids.ts'
import { ANCESTORS_MAX, SUBJECT_BYTES_MAX } from '../limits.ts'
import { bytesOfHex, hexOf, joinBytes } from './bytes.ts'
import { isNonce } from './nonce.ts'
import { decodeUtf8, encodeUtf8 } from './utf8.ts'

/** Names a token for revocation and audit. */
export interface TokenReference {
  readonly kid: Kid
  readonly nonce: Nonce
}

export interface TokenIdentifier extends TokenReference {
  /** Unix seconds, 0 for none. A `time` caveat that a holder appended is not in it. */
  readonly expiresAt: number
  /** The tokens that a service token was exchanged from, at most four. Revoking one of them revokes the service token. */
  readonly ancestors: readonly TokenReference[]
  /** At most 255 bytes of UTF-8. */
  readonly subject: string
}

const VERSION = 1
/** Versions reserved for this authority. A larger first byte belongs to the identifier of another authority. */
const VERSION_MAX = 15

const KID_AT = 1
const NONCE_AT: number = KID_AT + KID_BYTES
const EXPIRES_AT: number = NONCE_AT + NONCE_BYTES
const COUNT_AT: number = EXPIRES_AT + 8
const ANCESTORS_AT: number = COUNT_AT + 1
const ANCESTOR_BYTES: number = KID_BYTES + NONCE_BYTES
/** An identifier without ancestors and with an empty subject. */
const IDENTIFIER_BYTES_MIN: number = ANCESTORS_AT + 1

/** Throws request_invalid for a subject that is too long or not well-formed. */
export function encodeIdentifier(identifier: TokenIdentifier): Uint8Array {
  const { kid, nonce, expiresAt, ancestors } = identifier
  const subject = encodeUtf8(identifier.subject)
  if (subject === undefined || subject.length > SUBJECT_BYTES_MAX) {
    throw new MacaroondError('request_invalid', 'the subject is not text of at most 255 bytes of UTF-8')
  }
  assert(isNonce(nonce) && ancestors.every((ancestor) => isNonce(ancestor.nonce)), 'a nonce is a UUIDv7')
  assert(Number.isSafeInteger(expiresAt) && expiresAt >= 0, 'an expiry is whole seconds')
  assert(ancestors.length <= ANCESTORS_MAX, 'a token has at most four ancestors')
  const expiry = bytesOfHex(expiresAt.toString(16).padStart(16, '0'))
  const names = ancestors.map((ancestor) => bytesOfHex(ancestor.kid + ancestor.nonce))
  const tail = [Uint8Array.of(ancestors.length), ...names, Uint8Array.of(subject.length), subject]
  return joinBytes([Uint8Array.of(VERSION), bytesOfHex(kid + nonce), expiry, ...tail])
}

/** Throws token_unsupported for a newer version, token_malformed for bytes that `encodeIdentifier` does not write. */
export function decodeIdentifier(bytes: Uint8Array): TokenIdentifier {
  checkVersion(bytes)
  if (bytes.length < IDENTIFIER_BYTES_MIN) throw malformed('it is too short')
  const count = bytes[COUNT_AT] ?? 0
  if (count > ANCESTORS_MAX) throw malformed(`it names ${count} ancestors`)
  const subjectAt = ANCESTORS_AT + count * ANCESTOR_BYTES
  return {
    ...referenceAt(bytes, KID_AT),
    expiresAt: expiryOf(bytes),
    ancestors: ancestorsOf(bytes, count, subjectAt),
    subject: subjectOf(bytes, subjectAt),
  }
}

function checkVersion(bytes: Uint8Array): void {
  const version = bytes[0]
  if (version === VERSION) return
  if (version !== undefined && version > VERSION && version <= VERSION_MAX) {
    throw new MacaroondError('token_unsupported', `the token's identifier is of version ${version}`, {
      hint: 'upgrade this program',
    })
  }
  throw malformed('another authority made this macaroon')
}

function referenceAt(bytes: Uint8Array, at: number): TokenReference {
  const kid = hexOf(bytes, at, at + KID_BYTES)
  const nonce = hexOf(bytes, at + KID_BYTES, at + ANCESTOR_BYTES)
  if (!isNonce(nonce)) throw malformed('a nonce in it is not a UUIDv7')
  return { kid: kid as Kid, nonce }
}

function expiryOf(bytes: Uint8Array): number {
  // Above 2^53 the sum is rounded, but never to a safe integer.
  let seconds = 0
  for (let i = EXPIRES_AT; i < COUNT_AT; i += 1) seconds = seconds * 256 + (bytes[i] ?? 0)
  if (!Number.isSafeInteger(seconds)) throw malformed('its expiry is out of range')
  return seconds
}

function ancestorsOf(bytes: Uint8Array, count: number, end: number): TokenReference[] {
  if (end >= bytes.length) throw malformed('it is too short for its ancestors')
  if (count === 0) return []
  return Array.from({ length: count }, (_, i) => referenceAt(bytes, ANCESTORS_AT + i * ANCESTOR_BYTES))
}

function subjectOf(bytes: Uint8Array, at: number): string {
  const subject = bytes.subarray(at + 1)
  if (subject.length !== bytes[at]) throw malformed('its length is not that of its subject')
  const text = decodeUtf8(subject)
  if (text === undefined) throw malformed('its subject is not UTF-8')
  return text
}

function malformed(why: string): MacaroondError {
  return new MacaroondError('token_malformed', `not an identifier of this authority: ${why}`, {
    hint: 'check which authority issued the token',
  })
}
