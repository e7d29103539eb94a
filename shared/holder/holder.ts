/**
 * `macaroond/holder`, for programs that hold tokens: reads and writes them, shows what is in them, narrows them, and sends
 * them with their discharges. It needs no network and no key, and imports nothing of Node, so it runs in browsers, edge
 * runtimes, Deno and Bun. Its functions do the same as those of the same name in `macaroond`, and share their code.
 *
 * It verifies nothing. Every function throws `MacaroondError`, and returns new values instead of changing its arguments.
 */
import { readBundleText, writeBundle } from '../macaroon/bundle-codec.ts'
import { withBinding, withPredicates } from '../macaroon/chain.ts'
import { contentsOf, type TokenContents } from '../macaroon/contents.ts'
import type { MacaroonLimits } from '../macaroon/format-limits.ts'
import type { Macaroon } from '../macaroon/macaroon.ts'
import { TextCodec, type TextFormat, type TextMacaroon } from '../macaroon/text-codec.ts'
import { requireFormat, requireMacaroon, requireMacaroons, requirePredicates } from './arguments.ts'
import { portableHmacInto, portableTextPrimitives } from './primitives.ts'

export { MacaroondError } from '../errors.ts'
export type { ErrorCode, ErrorKind } from '../errors.ts'
export type { ThirdPartyContents, TokenContents } from '../macaroon/contents.ts'
export type { MacaroonLimits } from '../macaroon/format-limits.ts'
export type { MacaroonFormat } from '../macaroon/format.ts'
export type { Caveat, Macaroon } from '../macaroon/macaroon.ts'
export type { TextFormat, TextMacaroon } from '../macaroon/text-codec.ts'

const codec = new TextCodec(portableTextPrimitives)

/**
 * Reads one macaroon in any text form: that of this authority (`mcn1_…`), base64url of V1, V2 or V2J, and V2J as JSON. Throws
 * token_truncated, token_damaged, token_too_large (above `limits`; default: those of a node), token_unsupported, and a code
 * of its own for each fault of the encoding, such as token_base64.
 */
function decodeTokenText(text: string, limits?: MacaroonLimits): Macaroon {
  return readTokenText(text, limits).macaroon
}

/** Like `decodeTokenText`, and also returns the form of the text. */
function readTokenText(text: string, limits?: MacaroonLimits): TextMacaroon {
  return codec.read(text, limits)
}

/** The text form of this authority, which fits into an Authorization header. Throws token_too_large, token_malformed. */
function encodeTokenText(macaroon: Macaroon, limits?: MacaroonLimits): string {
  return codec.encodeToken(requireMacaroon(macaroon), limits)
}

/**
 * For other libraries: V1 and V2 in base64url without padding, V2J as JSON. Throws token_too_large, token_malformed, and
 * token_unsupported for another format.
 */
function encodeText(macaroon: Macaroon, format: TextFormat, limits?: MacaroonLimits): string {
  return codec.encode(requireMacaroon(macaroon), requireFormat(format), limits)
}

/**
 * Reads a token and its discharges, joined with `~`. Returns the token first; a token alone is a bundle, too. Throws
 * bundle_malformed, and the errors of `decodeTokenText`.
 */
function decodeBundle(text: string): readonly Macaroon[] {
  return readBundleText(codec, text).map(({ macaroon }) => macaroon)
}

/** Writes a token, which must be first, and its bound discharges. Throws token_too_large, token_malformed, bundle_malformed. */
function encodeBundle(macaroons: readonly Macaroon[]): string {
  return writeBundle(codec, requireMacaroons(macaroons))
}

/**
 * Returns the macaroon with caveats appended, in the given order. Each is text in the form `key op value`, such as `op = read`
 * (docs/caveats.md), or bytes. Whether a verifier understands it is not checked: one that does not refuses the token. Throws
 * caveat_malformed for a text with a lone surrogate, token_malformed.
 */
function attenuate(macaroon: Macaroon, predicates: readonly (Uint8Array | string)[]): Macaroon {
  return withPredicates(portableHmacInto, requireMacaroon(macaroon), requirePredicates(predicates))
}

/**
 * The discharge in the form that is sent with this token. It is bound to the final token: attenuate first, then get the
 * discharge, then bind. It can no longer be attenuated, nor bound to another token. Throws token_malformed.
 */
function bindDischarge(root: Macaroon, discharge: Macaroon): Macaroon {
  return withBinding(portableHmacInto, requireMacaroon(root), requireMacaroon(discharge))
}

/** Binds every discharge to the token. Returns what `encodeBundle` takes. The discharges must not be bound yet. */
function bindDischarges(root: Macaroon, discharges: readonly Macaroon[]): readonly Macaroon[] {
  const bound = requireMacaroons(discharges).map((discharge) => bindDischarge(root, discharge))
  return [requireMacaroon(root), ...bound]
}

/**
 * The contents of a token or bundle of this authority, like `macaroond token inspect --json`: id, subject, times in unix
 * seconds, ancestors, caveats. Nothing is verified. Throws the errors of `decodeBundle`, and token_malformed for a macaroon of
 * another authority.
 */
function inspect(text: string): TokenContents {
  return contentsOf(decodeBundle(text))
}

export {
  attenuate,
  bindDischarge,
  bindDischarges,
  decodeBundle,
  decodeTokenText,
  encodeBundle,
  encodeText,
  encodeTokenText,
  inspect,
  readTokenText,
}
