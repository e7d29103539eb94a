/** Writes V2J in one form: members in libmacaroons' order, signature and verifier ids always in base64url. */
import { assert } from '../errors.ts'
import type { Caveat, Macaroon } from './macaroon.ts'
import { writeBase64Url } from './portable-base64.ts'
import { decodeUtf8, encodeUtf8 } from './utf8.ts'

const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u

export function encodeV2J({ location, identifier, caveats, signature }: Macaroon): string {
  return JSON.stringify({
    v: 2,
    ...locationMember(location),
    ...field('i', identifier),
    c: caveats.map(caveatObject),
    s64: writeBase64Url(signature),
  })
}

function caveatObject({ cid, vid, location = '' }: Caveat): object {
  assert(vid !== undefined || location === '', 'a first-party caveat has no location')
  const verifier = vid === undefined ? {} : { v64: writeBase64Url(vid) }
  return { ...field('i', cid), ...locationMember(location), ...verifier }
}

function locationMember(location: string): object {
  const bytes = encodeUtf8(location)
  assert(bytes !== undefined, 'a location is well-formed text')
  return bytes.length === 0 ? {} : field('l', bytes)
}

/**
 * Writes a field as text only if JSON needs no escape for it, because libmacaroons signs the escape instead of the character,
 * and a caveat with a quote would be a different caveat there. Text with invisible or control characters is written in
 * base64 as well, because a terminal may obey them.
 */
function field(letter: string, bytes: Uint8Array): object {
  const text = decodeUtf8(bytes)
  const plain = text !== undefined && JSON.stringify(text).length === text.length + 2 && !UNSEEN.test(text)
  return plain ? { [letter]: text } : { [`${letter}64`]: writeBase64Url(bytes) }
}
