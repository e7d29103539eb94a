/** Writes V2J in one form: libmacaroons' order of members, the signature and verifier ids always in base64url. */
import { assert } from '../errors.ts'
import { encodeBase64Url } from './base64url.ts'
import type { Caveat, Macaroon } from './macaroon.ts'
import { decodeUtf8, encodeUtf8 } from './utf8.ts'

const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u

export function encodeV2J({ location, identifier, caveats, signature }: Macaroon): string {
  return JSON.stringify({
    v: 2,
    ...locationMember(location),
    ...field('i', identifier),
    c: caveats.map(caveatObject),
    s64: encodeBase64Url(signature),
  })
}

function caveatObject({ cid, vid, location = '' }: Caveat): object {
  assert(vid !== undefined || location === '', 'a first-party caveat has no location')
  const verifier = vid === undefined ? {} : { v64: encodeBase64Url(vid) }
  return { ...field('i', cid), ...locationMember(location), ...verifier }
}

function locationMember(location: string): object {
  const bytes = encodeUtf8(location)
  assert(bytes !== undefined, 'a location is well-formed text')
  return bytes.length === 0 ? {} : field('l', bytes)
}

/**
 * As text only where JSON writes it without an escape: libmacaroons signs the escape itself instead of what it stands
 * for, so a quote in a caveat would make it another caveat there. Text with characters that nobody sees, or that a terminal
 * obeys, is not written as such either.
 */
function field(letter: string, bytes: Uint8Array): object {
  const text = decodeUtf8(bytes)
  const plain = text !== undefined && JSON.stringify(text).length === text.length + 2 && !UNSEEN.test(text)
  return plain ? { [letter]: text } : { [`${letter}64`]: encodeBase64Url(bytes) }
}
