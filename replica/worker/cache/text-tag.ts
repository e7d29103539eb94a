/**
 * The place of a bundle's text in the cache: a keyed hash of the characters that hold words of its last signature. Whoever
 * guesses at a signature learns nothing from how long a lookup takes, because without the key no guess leads to the entry.
 */
import { assert } from '../../../shared/errors.ts'
import { halfSipHash } from '../../../shared/verifier/half-siphash.ts'

/** Random bytes that key the hash. */
export const TAG_SEED_BYTES = 8

/** `.` and eight hex digits of the checksum stand behind the signature. */
const CHECKSUM_CHARS = 9
/** 15 bytes of the 32 of a signature: words enough that no two tokens share them. */
const SIGNATURE_CHARS = 20
/** A shorter text is no token. */
export const TAGGED_CHARS_MIN: number = CHECKSUM_CHARS + SIGNATURE_CHARS

export type TextTagger = (text: string) => number

/** The texts have `TAGGED_CHARS_MIN` characters at least. */
export function textTagger(seed: Uint8Array): TextTagger {
  assert(seed.length === TAG_SEED_BYTES, 'the seed of the tags has 8 bytes')
  const bytes = Buffer.from(seed)
  const key0 = bytes.readUInt32LE(0)
  const key1 = bytes.readUInt32LE(4)
  return (text) => {
    const at = text.length - TAGGED_CHARS_MIN
    const [a, b, c] = [word(text, at), word(text, at + 4), word(text, at + 8)]
    // Signed, so that it is a small integer to V8 and costs no allocation as the key of a Map.
    return halfSipHash(key0, key1, a, b, c, word(text, at + 12), word(text, at + 16)) | 0
  }
}

function word(text: string, at: number): number {
  const first = (text.charCodeAt(at) << 24) | (text.charCodeAt(at + 1) << 16)
  return first | (text.charCodeAt(at + 2) << 8) | text.charCodeAt(at + 3)
}
