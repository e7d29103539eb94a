/** Decodes the bearer token of a request for a service. */
import { decodeBundle, type Macaroon, MacaroondError } from '../../../shared/library.ts'

/** The macaroons of a token; none if it cannot be decoded. Verification refuses an empty bundle, so one refusal is enough. */
export function macaroonsIn(token: string): readonly Macaroon[] {
  try {
    return decodeBundle(token)
  } catch (error) {
    if (error instanceof MacaroondError) return []
    throw error
  }
}
