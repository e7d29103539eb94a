/** Reads and writes bundles on a node. `bundle-codec.ts` describes them. */
import { type BundleLimits, readBundleText, writeBundle } from './bundle-codec.ts'
import type { Macaroon } from './macaroon.ts'
import type { TextMacaroon } from './text-codec.ts'
import { NODE_TEXT_CODEC } from './text.ts'

/** The token must be first. Throws token_too_large if no verifier would read the bundle, bundle_malformed if it is empty. */
export function encodeBundle(macaroons: readonly Macaroon[]): string {
  return writeBundle(NODE_TEXT_CODEC, macaroons)
}

/** The token, then its discharges; never empty. Throws bundle_malformed, and the errors of `decodeTokenText`. */
export function decodeBundle(text: string, limits?: BundleLimits): readonly Macaroon[] {
  return readBundle(text, limits).map(({ macaroon }) => macaroon)
}

/** Like `decodeBundle`, and also returns the text form of each macaroon. */
export function readBundle(text: string, limits?: BundleLimits): readonly TextMacaroon[] {
  return readBundleText(NODE_TEXT_CODEC, text, limits)
}
