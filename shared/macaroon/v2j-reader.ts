/**
 * Reads V2J, the JSON format of libmacaroons (doc/format.txt). Choices that its specification leaves open are accepted:
 * members in any order, white space, escapes, a missing `v` or `c`, text or base64, either alphabet, padded or not.
 * Everything else is refused: a member twice, a member in both forms, an unknown member, base64 with stray bits.
 */
import { malformed, tooLarge, unsupported } from './format-errors.ts'
import { caveatOf, locationOf, signatureOf } from './format-fields.ts'
import { type MacaroonLimits, textCharsMax, TOKEN_LIMITS } from './format-limits.ts'
import type { Caveat, Macaroon } from './macaroon.ts'
import { decodeBase64Any } from './portable-base64.ts'
import { decodeUtf8, encodeUtf8 } from './utf8.ts'
import { JsonScanner } from './v2j-json.ts'

/** Fields by their letter. A field `x` may have been written as `x` or as `x64`. */
type Fields = Map<string, Uint8Array>

const HEADER_FIELDS = 'ils'
const CAVEAT_FIELDS = 'ilv'
/** Member names of V1's JSON format, which is recognised only to name it in the error. */
const V1_MEMBERS: ReadonlySet<string> = new Set(['caveats', 'identifier', 'location', 'signature', 'cid', 'vid', 'cl'])

/**
 * Decodes a text, or its bytes in UTF-8. Throws token_truncated, token_too_large (above `limits`), token_unsupported (V1's
 * JSON, or another version), and the codes of `EncodingFault`.
 */
export function decodeV2J(source: Uint8Array | string, limits: MacaroonLimits = TOKEN_LIMITS): Macaroon {
  const charsMax = textCharsMax(limits)
  if (source.length > charsMax) throw tooLarge(`the macaroon has ${source.length} characters`, charsMax)
  const text = typeof source === 'string' ? source : decodeUtf8(source)
  if (text === undefined) throw malformed('token_utf8', 'its JSON is not UTF-8')
  return new V2JReader(text, limits).read()
}

class V2JReader {
  readonly #json: JsonScanner
  readonly #limits: MacaroonLimits

  constructor(text: string, limits: MacaroonLimits) {
    this.#json = new JsonScanner(text)
    this.#limits = limits
  }

  read(): Macaroon {
    const fields: Fields = new Map()
    let caveats: readonly Caveat[] = []
    this.#json.object((name) => {
      if (name === 'v') this.#version()
      else if (name === 'c') caveats = this.#caveats()
      else this.#field(fields, name, HEADER_FIELDS)
    })
    this.#json.end()
    const identifier = this.#required(fields, 'i', 'identifier', this.#limits.identifierBytes)
    const signature = signatureOf(this.#required(fields, 's', 'signature', this.#limits.bytes))
    return { location: this.#location(fields) ?? '', identifier, caveats, signature }
  }

  /** Reads a number, which is what every implementation writes. format.txt says a string, but no implementation reads one. */
  #version(): void {
    const version = this.#json.word()
    if (version === '2') return
    if (/^[0-9]+$/.test(version)) throw unsupported('a macaroon in another version of JSON', 'write it in V2 or V2J')
    throw malformed('token_json', 'its version is not the number 2')
  }

  #caveats(): Caveat[] {
    const caveats: Caveat[] = []
    this.#json.array(() => {
      if (caveats.length === this.#limits.caveats) throw tooLarge('there are more caveats', this.#limits.caveats)
      caveats.push(this.#caveat())
    })
    return caveats
  }

  #caveat(): Caveat {
    const fields: Fields = new Map()
    this.#json.object((name) => this.#field(fields, name, CAVEAT_FIELDS))
    const cid = this.#required(fields, 'i', 'caveat', this.#limits.caveatBytes)
    return caveatOf(cid, fields.get('v'), this.#location(fields))
  }

  #field(fields: Fields, name: string, known: string): void {
    const letter = name.endsWith('64') ? name.slice(0, -2) : name
    if (letter.length !== 1 || !known.includes(letter)) throw unknownMember(name)
    if (fields.has(letter)) throw malformed('token_duplicate', `its JSON has both ${letter} and ${letter}64`)
    const text = this.#json.string()
    fields.set(letter, letter === name ? textBytes(text) : base64Bytes(text))
  }

  #required(fields: Fields, letter: string, what: string, limit: number): Uint8Array {
    const bytes = fields.get(letter)
    if (bytes === undefined) throw malformed('token_field', `its JSON has no ${what} (${letter})`)
    if (bytes.length > limit) throw tooLarge(`the ${what} has ${bytes.length} bytes`, limit)
    return bytes
  }

  #location(fields: Fields): string | undefined {
    if (!fields.has('l')) return undefined
    return locationOf(this.#required(fields, 'l', 'location', this.#limits.locationBytes))
  }
}

function unknownMember(name: string): Error {
  if (!V1_MEMBERS.has(name)) return malformed('token_json', 'its JSON has a member that V2J does not know')
  return unsupported("a macaroon in V1's JSON format", 'write it in V1 binary, V2 or V2J')
}

function textBytes(text: string): Uint8Array {
  const bytes = encodeUtf8(text)
  if (bytes === undefined) throw malformed('token_utf8', 'a JSON string has half of a surrogate pair')
  return bytes
}

function base64Bytes(text: string): Uint8Array {
  const bytes = decodeBase64Any(text)
  if (bytes === undefined) throw malformed('token_base64', 'a member that ends in 64 is not canonical base64')
  return bytes
}
