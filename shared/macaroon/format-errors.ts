/**
 * What can be wrong with an encoding. Each fault has a code of its own, so that a program can tell a paste that was cut
 * off from a token that somebody spelled in a second way.
 */
import { MacaroondError } from '../errors.ts'

/** Every code that reading the encoding of a macaroon can fail with. FORMAT.md says what each one means. */
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
    hint: 'check that the whole token was copied, and nothing but the token',
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
