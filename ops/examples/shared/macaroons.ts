/** What a service makes of the bearer token of a request. */
import { decodeBundle, type Macaroon, MacaroondError } from '../../../shared/library.ts'

/** None where it is no token at all: then nothing is authentic, and the service needs no second way to refuse. */
export function macaroonsIn(token: string): readonly Macaroon[] {
  try {
    return decodeBundle(token)
  } catch (error) {
    if (error instanceof MacaroondError) return []
    throw error
  }
}
