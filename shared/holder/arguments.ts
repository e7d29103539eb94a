/**
 * Checks of arguments. Scripts in browsers have no types, and a text in the place of a macaroon must not become a macaroon
 * with a meaningless signature.
 */
import { MacaroondError } from '../errors.ts'
import { KEY_BYTES } from '../hmac.ts'
import { VID_BYTES } from '../macaroon/format-limits.ts'
import { MACAROON_FORMATS } from '../macaroon/format.ts'
import type { Caveat, Macaroon } from '../macaroon/macaroon.ts'
import type { TextFormat } from '../macaroon/text-codec.ts'

/** Returns the value if it has the parts of a macaroon. Throws token_malformed. */
export function requireMacaroon(value: Macaroon): Macaroon {
  if (isMacaroon(value)) return value
  throw new MacaroondError('token_malformed', `a macaroon is needed here, and this is ${nameOf(value)}`, {
    hint: 'read the text of a token with decodeTokenText first',
  })
}

/** Returns the value if it is a list of texts and arrays of bytes. Throws caveat_malformed. */
export function requirePredicates(value: readonly (Uint8Array | string)[]): readonly (Uint8Array | string)[] {
  if (Array.isArray(value) && value.every((item) => typeof item === 'string' || isBytes(item))) return value
  throw new MacaroondError('caveat_malformed', 'caveats are a list of texts', {
    hint: "write one caveat as a list, too: attenuate(macaroon, ['op = read'])",
  })
}

/** Returns the value if it is a list of macaroons. Throws token_malformed. */
export function requireMacaroons(value: readonly Macaroon[]): readonly Macaroon[] {
  if (Array.isArray(value)) return value.map(requireMacaroon)
  throw new MacaroondError('token_malformed', `a list of macaroons is needed here, and this is ${nameOf(value)}`)
}

/** Returns the value if it names a form of text. Throws token_unsupported. */
export function requireFormat(value: TextFormat): TextFormat {
  if (value === 'text' || MACAROON_FORMATS.includes(value)) return value
  throw new MacaroondError('token_unsupported', 'this is not the name of a form of text', {
    hint: `the forms are text, ${MACAROON_FORMATS.join(', ')}`,
  })
}

function isMacaroon(value: unknown): value is Macaroon {
  if (typeof value !== 'object' || value === null) return false
  const { location, identifier, caveats, signature }: Partial<Macaroon> = value
  if (!isText(location) || !isBytes(identifier) || !isBytes(signature)) return false
  return signature.length === KEY_BYTES && Array.isArray(caveats) && caveats.every(isCaveat)
}

/** Only a third-party caveat has a location. */
function isCaveat(value: unknown): value is Caveat {
  if (typeof value !== 'object' || value === null) return false
  const { cid, vid, location }: Partial<Caveat> = value
  if (vid === undefined) return isBytes(cid) && location === undefined
  return isBytes(cid) && isBytes(vid) && vid.length === VID_BYTES && (location === undefined || isText(location))
}

/** Half of a surrogate pair has no UTF-8. */
function isText(value: unknown): value is string {
  return typeof value === 'string' && value.isWellFormed()
}

/** Not `instanceof`, because an array from another frame of a page has another constructor. */
function isBytes(value: unknown): value is Uint8Array {
  return Object.prototype.toString.call(value) === '[object Uint8Array]'
}

function nameOf(value: unknown): string {
  if (typeof value === 'string') return 'a text'
  return value === null || value === undefined ? String(value) : `no such ${typeof value}`
}
