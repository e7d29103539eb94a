/**
 * The library, `macaroond`: macaroons as values, offline. Make them, add caveats, read and write them, verify the chain.
 * Any macaroon of the libmacaroons family is read; what a token of an authority means is for a verifier to judge.
 */
export { MacaroondError } from './errors.ts'
export type { ErrorCode, ErrorKind } from './errors.ts'
export { attenuate, createMacaroon, derivedKeyOf } from './macaroon/macaroon.ts'
export type { Caveat, Macaroon, MacaroonOptions, RootKey } from './macaroon/macaroon.ts'
export { verifyMacaroon } from './macaroon/signature.ts'
export type { VerifiedMacaroon } from './macaroon/signature.ts'
export { decodeBundle, encodeBundle } from './macaroon/bundle.ts'
export { decodeMacaroon, encodeMacaroon, sniffFormat } from './macaroon/format.ts'
export type { MacaroonFormat } from './macaroon/format.ts'
export type { MacaroonLimits } from './macaroon/format-limits.ts'
export { decodeTokenText, encodeText, encodeTokenText, readTokenText } from './macaroon/text.ts'
export type { TextFormat, TextMacaroon } from './macaroon/text.ts'
export { decodeV1 } from './macaroon/v1-reader.ts'
export { encodeV1 } from './macaroon/v1-writer.ts'
export { decodeV2 } from './macaroon/v2-reader.ts'
export { encodeV2 } from './macaroon/v2-writer.ts'
export { decodeV2J } from './macaroon/v2j-reader.ts'
export { encodeV2J } from './macaroon/v2j-writer.ts'
