/**
 * Reads the V2 binary format. Every macaroon has exactly one encoding that is accepted: fields in their order, shortest
 * lengths, no empty optional field, a signature of 32 bytes, nothing behind it. libmacaroons and its ports let some of
 * these pass, so that one token has many spellings, and reads past the end where they check no length.
 */
import { KEY_BYTES } from '../crypto.ts'
import { MacaroondError } from '../errors.ts'
import { refuseForeignBytes } from './foreign-formats.ts'
import type { Caveat, Macaroon } from './macaroon.ts'
import { decodeUtf8 } from './utf8.ts'
import {
  FIELD_END,
  FIELD_IDENTIFIER,
  FIELD_LOCATION,
  FIELD_SIGNATURE,
  FIELD_VID,
  type MacaroonLimits,
  TOKEN_LIMITS,
  V2_VERSION,
  VID_BYTES,
} from './v2-format.ts'

/** A length of four bytes reaches 256 MiB, far above every limit; a fifth byte is not read. */
const VARINT_SHIFT_MAX = 21

/**
 * Decodes a copy of `bytes`. Errors: `token_truncated` (ends early), `token_too_large` (above `limits`),
 * `token_unsupported` (another format), `token_malformed` (all else).
 */
export function decodeV2(bytes: Uint8Array, limits: MacaroonLimits = TOKEN_LIMITS): Macaroon {
  if (bytes.length > limits.bytes) throw tooLarge(`the macaroon has ${bytes.length} bytes`, limits.bytes)
  return new V2Reader(new Uint8Array(bytes), limits).read()
}

class V2Reader {
  readonly #bytes: Uint8Array
  readonly #limits: MacaroonLimits
  #at = 0

  constructor(bytes: Uint8Array, limits: MacaroonLimits) {
    this.#bytes = bytes
    this.#limits = limits
  }

  read(): Macaroon {
    this.#version()
    const location = this.#location() ?? ''
    const identifier = this.#field(FIELD_IDENTIFIER, 'identifier', this.#limits.identifierBytes)
    this.#end('header')
    const caveats = this.#caveats()
    const signature = this.#field(FIELD_SIGNATURE, 'signature', KEY_BYTES)
    if (signature.length !== KEY_BYTES) throw malformed(`the signature has ${signature.length} bytes instead of 32`)
    if (this.#at !== this.#bytes.length) throw malformed('bytes follow the signature')
    return { location, identifier, caveats, signature }
  }

  #version(): void {
    if (this.#bytes.length === 0) throw malformed('there is nothing to read')
    if (this.#bytes[0] !== V2_VERSION) {
      refuseForeignBytes(this.#bytes)
      throw malformed('it does not begin like a macaroon')
    }
    this.#at = 1
  }

  #caveats(): Caveat[] {
    const caveats: Caveat[] = []
    while (this.#peek() !== FIELD_END) {
      if (caveats.length === this.#limits.caveats) throw tooLarge('there are more caveats', this.#limits.caveats)
      caveats.push(this.#caveat())
    }
    this.#at += 1
    return caveats
  }

  #caveat(): Caveat {
    const location = this.#location()
    const cid = this.#field(FIELD_IDENTIFIER, 'caveat', this.#limits.caveatBytes)
    const vid = this.#peek() === FIELD_VID ? this.#vid() : undefined
    this.#end('caveat')
    if (vid !== undefined) return location === undefined ? { cid, vid } : { cid, vid, location }
    // No signature covers it, so on a first-party caveat it could only mislead (go-macaroon refuses it too).
    if (location !== undefined) throw malformed('a first-party caveat has a location')
    return { cid }
  }

  #vid(): Uint8Array {
    const vid = this.#field(FIELD_VID, 'verifier id', VID_BYTES)
    if (vid.length !== VID_BYTES) throw malformed(`a verifier id has ${vid.length} bytes instead of ${VID_BYTES}`)
    return vid
  }

  #location(): string | undefined {
    if (this.#peek() !== FIELD_LOCATION) return undefined
    const bytes = this.#field(FIELD_LOCATION, 'location', this.#limits.locationBytes)
    if (bytes.length === 0) throw malformed('an empty location is written out')
    const text = decodeUtf8(bytes)
    if (text === undefined) throw malformed('a location is not UTF-8')
    return text
  }

  #field(type: number, what: string, limit: number): Uint8Array {
    const found = this.#byte()
    if (found !== type) throw malformed(`field ${found} stands where the ${what} (field ${type}) belongs`)
    const length = this.#length()
    if (length > limit) throw tooLarge(`the ${what} has ${length} bytes`, limit)
    const end = this.#at + length
    if (end > this.#bytes.length) throw truncated(`it ends inside the ${what}`)
    // Half the cost of `subarray`, which looks up the species of the array first.
    const value = new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + this.#at, length)
    this.#at = end
    return value
  }

  #length(): number {
    let value = 0
    for (let shift = 0; shift <= VARINT_SHIFT_MAX; shift += 7) {
      const byte = this.#byte()
      value |= (byte & 0x7f) << shift
      if (byte >= 0x80) continue
      if (byte === 0 && shift > 0) throw malformed('a length is not written in its shortest form')
      return value
    }
    throw malformed('a length has more than four bytes')
  }

  #end(what: string): void {
    const found = this.#byte()
    if (found !== FIELD_END) throw malformed(`field ${found} stands where the ${what} should end`)
  }

  #peek(): number {
    const byte = this.#bytes[this.#at]
    if (byte === undefined) throw truncated('it ends before its signature')
    return byte
  }

  #byte(): number {
    const byte = this.#peek()
    this.#at += 1
    return byte
  }
}

function malformed(why: string): MacaroondError {
  return new MacaroondError('token_malformed', `not a macaroon: ${why}`, {
    hint: 'check that the whole token was copied, and nothing but the token',
  })
}

function truncated(why: string): MacaroondError {
  return new MacaroondError('token_truncated', `the macaroon is cut off: ${why}`, { hint: 'copy the whole token' })
}

function tooLarge(what: string, limit: number): MacaroondError {
  return new MacaroondError('token_too_large', `${what}, above the limit of ${limit}`, {
    hint: 'ask for a token with fewer or shorter caveats',
  })
}
