/**
 * The errors of the readers. Each fault of an encoding has its own code, so that a program can distinguish a truncated
 * paste from a token in a non-canonical encoding.
 */
import { MacaroondError } from '../errors.ts'

/** Codes for a macaroon whose encoding is wrong. FORMAT.md defines each of them. */
export type EncodingFault =
  | 'token_malformed'
  | 'token_base64'
  | 'token_duplicate'
  | 'token_field'
  | 'token_json'
  | 'token_length'
  | 'token_location'
  | 'token_signature'
  | 'token_trailing'
  | 'token_utf8'
  | 'token_vid'

export function malformed(code: EncodingFault, why: string): MacaroondError {
  return new MacaroondError(code, `not a macaroon: ${why}`, {
    hint: 'check that the whole token was copied, and nothing else',
  })
}

export function truncated(why: string): MacaroondError {
  return new MacaroondError('token_truncated', `the macaroon is cut off: ${why}`, { hint: 'copy the whole token' })
}

export function tooLarge(what: string, limit: number): MacaroondError {
  return new MacaroondError('token_too_large', `${what}, above the limit of ${limit}`, {
    hint: 'ask for a token with fewer or shorter caveats',
  })
}

export function unsupported(what: string, hint: string): MacaroondError {
  return new MacaroondError('token_unsupported', `this is ${what}`, { hint })
}
