/**
 * The key of a bundle's text in the cache: a keyed hash of the characters that encode part of its last signature. Somebody who
 * guesses a signature learns nothing from the time of a lookup, because without the hash key no guess finds the entry.
 */
import { assert } from '../../../shared/errors.ts'
import { halfSipHash } from '../../../shared/verifier/half-siphash.ts'

/** Length of the random seed that keys the hash. */
export const TAG_SEED_BYTES = 8

/** After the signature, a text ends with `.` and eight hex digits of the checksum. */
const CHECKSUM_CHARS = 9
/** Characters for 15 of the 32 bytes of a signature, which are enough that no two tokens share them. */
const SIGNATURE_CHARS = 20
/** A shorter text is not a token. */
export const TAGGED_CHARS_MIN: number = CHECKSUM_CHARS + SIGNATURE_CHARS

export type TextTagger = (text: string) => number

/** Makes the hash function. Its texts must have at least `TAGGED_CHARS_MIN` characters. */
export function textTagger(seed: Uint8Array): TextTagger {
  assert(seed.length === TAG_SEED_BYTES, 'the seed of the tags has 8 bytes')
  const bytes = Buffer.from(seed)
  const key0 = bytes.readUInt32LE(0)
  const key1 = bytes.readUInt32LE(4)
  return (text) => {
    const at = text.length - TAGGED_CHARS_MIN
    const [a, b, c] = [word(text, at), word(text, at + 4), word(text, at + 8)]
    // A signed number, which V8 can store in a Map without allocating.
    return halfSipHash(key0, key1, a, b, c, word(text, at + 12), word(text, at + 16)) | 0
  }
}

function word(text: string, at: number): number {
  const first = (text.charCodeAt(at) << 24) | (text.charCodeAt(at + 1) << 16)
  return first | (text.charCodeAt(at + 2) << 8) | text.charCodeAt(at + 3)
}
