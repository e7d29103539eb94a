/**
 * Reads the V2 binary format strictly: fields in order, lengths in their shortest form, no empty optional field, a signature
 * of 32 bytes, and nothing after it. So every macaroon has exactly one V2 encoding that is accepted. libmacaroons and its
 * ports accept several encodings of one token, and read past the end where they do not check a length.
 */
import type { MacaroondError } from '../errors.ts'
import { malformed, tooLarge, truncated } from './format-errors.ts'
import { caveatOf, locationOf, signatureOf } from './format-fields.ts'
import { type MacaroonLimits, TOKEN_LIMITS } from './format-limits.ts'
import type { Caveat, Macaroon } from './macaroon.ts'
import { FIELD_END, FIELD_IDENTIFIER, FIELD_LOCATION, FIELD_SIGNATURE, FIELD_VID, V2_VERSION } from './v2-format.ts'

/** A length has at most four bytes (256 MiB), which is far above every limit. */
const VARINT_SHIFT_MAX = 21

/**
 * Decodes a macaroon. The result shares no memory with `bytes`. Throws token_truncated, token_too_large (above `limits`), and
 * the codes of `EncodingFault`.
 */
export function decodeV2(bytes: Uint8Array, limits: MacaroonLimits = TOKEN_LIMITS): Macaroon {
  if (bytes.length > limits.bytes) throw tooLarge(`the macaroon has ${bytes.length} bytes`, limits.bytes)
  return new V2Reader(new Uint8Array(bytes), limits).read()
}

class V2Reader {
  readonly #bytes: Uint8Array
  readonly #limits: MacaroonLimits
  #at = 0
  /** Type of the previous field of this section, to distinguish a duplicate field from a misplaced one. */
  #last = FIELD_END

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
    const signature = signatureOf(this.#field(FIELD_SIGNATURE, 'signature', this.#limits.bytes))
    if (this.#at !== this.#bytes.length) throw malformed('token_trailing', 'bytes follow the signature')
    return { location, identifier, caveats, signature }
  }

  #version(): void {
    if (this.#bytes.length === 0) throw malformed('token_malformed', 'there is nothing to read')
    if (this.#byte() !== V2_VERSION) throw malformed('token_malformed', 'it does not begin like a macaroon in V2')
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
    const vid = this.#peek() === FIELD_VID ? this.#field(FIELD_VID, 'verifier id', this.#limits.bytes) : undefined
    this.#end('caveat')
    return caveatOf(cid, vid, location)
  }

  #location(): string | undefined {
    if (this.#peek() !== FIELD_LOCATION) return undefined
    return locationOf(this.#field(FIELD_LOCATION, 'location', this.#limits.locationBytes))
  }

  #field(type: number, what: string, limit: number): Uint8Array {
    const found = this.#byte()
    if (found !== type) throw this.#misplaced(found, `the ${what} (field ${type}) belongs`)
    this.#last = type
    const length = this.#length()
    if (length > limit) throw tooLarge(`the ${what} has ${length} bytes`, limit)
    const end = this.#at + length
    if (end > this.#bytes.length) throw truncated(`it ends inside the ${what}`)
    // The constructor costs half as much as `subarray`, which looks up the species of the array first.
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
      if (byte === 0 && shift > 0) throw malformed('token_length', 'a length is not written in its shortest form')
      return value
    }
    throw malformed('token_length', 'a length has more than four bytes')
  }

  #end(what: string): void {
    const found = this.#byte()
    if (found !== FIELD_END) throw this.#misplaced(found, `the ${what} should end`)
    this.#last = FIELD_END
  }

  #misplaced(found: number, where: string): MacaroondError {
    if (found === this.#last && found !== FIELD_END) return malformed('token_duplicate', `field ${found} occurs twice`)
    return malformed('token_field', `field ${found} is where ${where}`)
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
