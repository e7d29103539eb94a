/**
 * A bundle: a token and the discharges of its third-party caveats, joined with `~`. A reader accepts any text form of each.
 * A written bundle uses only RFC 6750's b64token alphabet, so it fits wherever a token does, such as an Authorization header.
 */
import { MacaroondError } from '../errors.ts'
import { BUNDLE_BYTES_MAX, DISCHARGES_MAX, OFFLINE_INPUT_BYTES_MAX } from '../limits.ts'
import { malformed, tooLarge } from './format-errors.ts'
import { type MacaroonLimits, OFFLINE_LIMITS, TOKEN_LIMITS } from './format-limits.ts'
import type { Macaroon } from './macaroon.ts'
import { isJsonText, type TextCodec, type TextMacaroon } from './text-codec.ts'

const SEPARATOR = '~'

export interface BundleLimits {
  /** Characters of the whole text. */
  readonly chars: number
  readonly discharges: number
  readonly macaroon: MacaroonLimits
}

export const BUNDLE_LIMITS: BundleLimits = {
  chars: BUNDLE_BYTES_MAX,
  discharges: DISCHARGES_MAX,
  macaroon: TOKEN_LIMITS,
}

export const OFFLINE_BUNDLE_LIMITS: BundleLimits = {
  chars: OFFLINE_INPUT_BYTES_MAX,
  discharges: DISCHARGES_MAX,
  macaroon: OFFLINE_LIMITS,
}

/** The bundle as text. Throws token_too_large if no verifier would read it, bundle_malformed if it is empty. */
export function writeBundle(codec: TextCodec, macaroons: readonly Macaroon[]): string {
  checkCount(macaroons.length, BUNDLE_LIMITS)
  if (macaroons.length === 0) throw emptyPart()
  const text = macaroons.map((macaroon) => codec.encodeToken(macaroon)).join(SEPARATOR)
  checkChars(text, BUNDLE_LIMITS)
  return text
}

/** The token, then its discharges; never empty. Throws bundle_malformed, and the errors of `readTokenText`. */
export function readBundleText(
  codec: TextCodec,
  text: string,
  limits: BundleLimits = BUNDLE_LIMITS,
): readonly TextMacaroon[] {
  // A caller without types may pass undefined, for example a missing header.
  if (typeof text !== 'string') throw malformed('token_malformed', 'there is no token')
  checkChars(text, limits)
  const parts = splitBundle(text, limits.discharges + 2)
  checkCount(parts.length, limits)
  // A single empty part is left to the codec, which reports that there is no token.
  if (parts.length > 1 && parts.includes('')) throw emptyPart()
  return parts.map((part) => codec.read(part, limits.macaroon))
}

/** At most `partsMax` parts. The rest of the text is not read. */
function splitBundle(text: string, partsMax: number): readonly string[] {
  const parts: string[] = []
  let start = 0
  while (parts.length < partsMax) {
    const end = partEnd(text, start)
    parts.push(text.slice(start, end))
    if (end === text.length) break
    start = end + SEPARATOR.length
  }
  return parts
}

/** A string in V2J may contain `~`, so a JSON part ends at the first `~` after its closing brace. */
function partEnd(text: string, start: number): number {
  const from = isJsonText(text.slice(start, start + JSON_SPACE_MAX)) ? jsonEnd(text, start) : start
  const end = text.indexOf(SEPARATOR, from)
  return end === -1 ? text.length : end
}

/** White space that may precede the brace. With more of it, the part is not recognised as JSON and fails to decode. */
const JSON_SPACE_MAX = 64

/** Index after the brace that closes the object, or the end of the text if no brace does. */
function jsonEnd(text: string, start: number): number {
  const mark = /["{}]/g
  mark.lastIndex = start
  let depth = 0
  for (let found = mark.exec(text); found !== null; found = mark.exec(text)) {
    const [char] = found
    if (char === '"') mark.lastIndex = stringEnd(text, mark.lastIndex)
    else depth += char === '{' ? 1 : -1
    if (depth === 0) return mark.lastIndex
  }
  return text.length
}

/** Index after the quote that closes a string, or the end of the text if no quote does. `from` lies inside the string. */
function stringEnd(text: string, from: number): number {
  const mark = /["\\]/g
  mark.lastIndex = from
  for (let found = mark.exec(text); found !== null; found = mark.exec(text)) {
    if (found[0] === '"') return mark.lastIndex
    mark.lastIndex += 1
  }
  return text.length
}

function checkChars(text: string, { chars }: BundleLimits): void {
  if (text.length > chars) throw tooLarge(`the bundle has ${text.length} characters`, chars)
}

function checkCount(macaroons: number, { discharges }: BundleLimits): void {
  if (macaroons > discharges + 1) throw tooLarge('the bundle has more discharges', discharges)
}

function emptyPart(): MacaroondError {
  return new MacaroondError('bundle_malformed', 'not a bundle: a part of it is empty', {
    hint: 'join the token and its discharges with one ~ between them, and none at either end',
  })
}
