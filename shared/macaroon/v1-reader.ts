/**
 * Reads the V1 binary format strictly: packets in order, no empty optional packet, a signature of 32 bytes, and nothing after
 * it. So every macaroon has exactly one V1 encoding that is accepted.
 */
import { malformed, tooLarge } from './format-errors.ts'
import { caveatOf, locationOf, locationTextOf, signatureOf } from './format-fields.ts'
import { type MacaroonLimits, TOKEN_LIMITS } from './format-limits.ts'
import type { Caveat, Macaroon } from './macaroon.ts'
import { readPacket, type V1Key, type V1Packet } from './v1-packet.ts'

/**
 * Decodes packets that are not in base64url. The result shares no memory with `bytes`. Throws token_truncated,
 * token_too_large (above `limits`), and the codes of `EncodingFault`.
 */
export function decodeV1(bytes: Uint8Array, limits: MacaroonLimits = TOKEN_LIMITS): Macaroon {
  if (bytes.length > limits.bytes) throw tooLarge(`the macaroon has ${bytes.length} bytes`, limits.bytes)
  if (bytes.length === 0) throw malformed('token_malformed', 'there is nothing to read')
  return new V1Reader(new Uint8Array(bytes), limits).read()
}

class V1Reader {
  readonly #bytes: Uint8Array
  readonly #limits: MacaroonLimits
  /** The next packet, already read and not yet consumed. */
  #next: V1Packet
  #last: V1Key | undefined

  constructor(bytes: Uint8Array, limits: MacaroonLimits) {
    this.#bytes = bytes
    this.#limits = limits
    this.#next = readPacket(bytes, 0)
  }

  read(): Macaroon {
    // The location packet is mandatory in V1, so it may be empty.
    const location = locationTextOf(this.#take('location', this.#limits.locationBytes))
    const identifier = this.#take('identifier', this.#limits.identifierBytes)
    const caveats = this.#caveats()
    const { key, value, end } = this.#next
    if (key !== 'signature') throw this.#misplaced('signature')
    if (end !== this.#bytes.length) throw malformed('token_trailing', 'bytes follow the signature')
    return { location, identifier, caveats, signature: signatureOf(value) }
  }

  #caveats(): Caveat[] {
    const caveats: Caveat[] = []
    while (this.#next.key === 'cid') {
      if (caveats.length === this.#limits.caveats) throw tooLarge('there are more caveats', this.#limits.caveats)
      caveats.push(this.#caveat())
    }
    return caveats
  }

  #caveat(): Caveat {
    const cid = this.#take('cid', this.#limits.caveatBytes)
    const vid = this.#next.key === 'vid' ? this.#take('vid', this.#limits.bytes) : undefined
    const location = this.#next.key === 'cl' ? locationOf(this.#take('cl', this.#limits.locationBytes)) : undefined
    return caveatOf(cid, vid, location)
  }

  #take(key: V1Key, limit: number): Uint8Array {
    const packet = this.#next
    if (packet.key !== key) throw this.#misplaced(key)
    if (packet.value.length > limit) throw tooLarge(`the ${key} has ${packet.value.length} bytes`, limit)
    this.#last = key
    this.#next = readPacket(this.#bytes, packet.end)
    return packet.value
  }

  #misplaced(wanted: V1Key): Error {
    const found = this.#next.key
    if (found === this.#last) return malformed('token_duplicate', `the packet ${found} occurs twice`)
    return malformed('token_field', `the packet ${found} is in the place of ${wanted}`)
  }
}
