/** What a revocation takes out of the cache. The only place of a worker that knows what kinds of them mean. */
import { type Kid, type Nonce, tokenId } from '../../../shared/ids.ts'
import { KIND_TOKEN, type RevocationRow } from '../../../shared/protocol/revocations.ts'
import type { VerifiedTokens } from './verified-tokens.ts'

/** How many entries went. Undefined for a revocation that is not understood: nobody knows then what would have to go. */
export function dropRevoked(tokens: VerifiedTokens, { kind, kid, nonce }: RevocationRow): number | undefined {
  return kind === KIND_TOKEN ? tokens.dropNamed(tokenId(kid as Kid, nonce as Nonce)) : undefined
}
