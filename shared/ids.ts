/**
 * Branded types for ids, each with exactly one text form. A parser returns the brand, so a value that carries one has been
 * checked. Every parser throws `request_invalid`.
 */
import { MacaroondError } from './errors.ts'
import { shown } from './shown.ts'

declare const brand: unique symbol
type Branded<T, B extends string> = T & { readonly [brand]: B }

/** Transaction number of the authority's database, 1 and up. Text: 16 lowercase hex digits, as in LTX file names. */
export type Txid = Branded<number, 'Txid'>
/** Number granted with leadership; it is the fencing token. Text: decimal. */
export type Epoch = Branded<number, 'Epoch'>
/** 64-bit checksum of a whole database (LTX rolling checksum, bit 63 set). Text: 16 lowercase hex digits. */
export type Checksum = Branded<bigint, 'Checksum'>
/** Id of a root key, 8 bytes as 16 lowercase hex digits. */
export type Kid = Branded<string, 'Kid'>
/** Nonce of a token, 16 bytes (UUIDv7) as 32 lowercase hex digits. */
export type Nonce = Branded<string, 'Nonce'>
/** Names one token in revocations and in the audit. Text: `<kid>.<nonce>`. */
export type TokenId = Branded<string, 'TokenId'>
/** Random id made when an epoch begins, 16 bytes as 32 hex digits. Two restores that claim one epoch number differ in it. */
export type Timeline = Branded<string, 'Timeline'>
/** The libp2p peer id of an Ed25519 key in base58btc, `12D3Koo…`. It contains the public key, so it is enough to pin a peer. */
export type PeerIdText = Branded<string, 'PeerIdText'>

export const TXID_NONE: Txid = 0 as Txid

export function txid(value: number): Txid {
  if (!Number.isSafeInteger(value) || value < 0) throw malformed('txid', value)
  return value as Txid
}

export function txidText(value: Txid): string {
  return value.toString(16).padStart(16, '0')
}

export function parseTxid(text: string): Txid {
  if (!/^[0-9a-f]{16}$/.test(text)) throw malformed('txid', text)
  return txid(Number.parseInt(text, 16))
}

/** The header of a segment holds the epoch in four bytes. */
export const EPOCH_MAX = 0xffffffff

export function epoch(value: number): Epoch {
  if (!Number.isInteger(value) || value < 0 || value > EPOCH_MAX) throw malformed('epoch', value)
  return value as Epoch
}

export function checksum(value: bigint): Checksum {
  if (value < 0n || value > 0xffffffffffffffffn) throw malformed('checksum', value)
  return value as Checksum
}

export function checksumText(value: Checksum): string {
  return value.toString(16).padStart(16, '0')
}

export function parseChecksum(text: string): Checksum {
  if (!/^[0-9a-f]{16}$/.test(text)) throw malformed('checksum', text)
  return BigInt(`0x${text}`) as Checksum
}

export const KID_BYTES = 8
export const NONCE_BYTES = 16

export function kid(text: string): Kid {
  if (!/^[0-9a-f]{16}$/.test(text)) throw malformed('kid', text)
  return text as Kid
}

export function nonce(text: string): Nonce {
  if (!/^[0-9a-f]{32}$/.test(text)) throw malformed('nonce', text)
  return text as Nonce
}

export const TIMELINE_FORM: RegExp = /^[0-9a-f]{32}$/

export function timeline(text: string): Timeline {
  if (!TIMELINE_FORM.test(text)) throw malformed('timeline', text)
  return text as Timeline
}

export function tokenId(key: Kid, tokenNonce: Nonce): TokenId {
  return `${key}.${tokenNonce}` as TokenId
}

export function parseTokenId(text: string): { readonly kid: Kid; readonly nonce: Nonce } {
  const [key, rest, more] = text.split('.')
  if (key === undefined || rest === undefined || more !== undefined) throw malformed('token id', text)
  return { kid: kid(key), nonce: nonce(rest) }
}

function malformed(what: string, value: unknown): MacaroondError {
  return new MacaroondError('request_invalid', `not a ${what}: ${shown(String(value)).slice(0, 80)}`, {
    hint: HINTS[what] ?? `check where this ${what} came from`,
  })
}

const HINTS: Record<string, string> = {
  'token id':
    'a token id is <kid>.<nonce>: 16 and 32 lowercase hex digits, as `token mint` and `token inspect` print it',
  txid: 'a txid is 16 lowercase hex digits',
}
