/** What a revocation takes out of the cache. The only place of a worker that knows what kinds of them mean. */
import { type Kid, type Nonce, tokenId } from '../../../shared/ids.ts'
import type { KnownRevocation } from '../../../shared/verifier/revocation-row.ts'
import { CutOffs } from '../../../shared/verifier/cut-offs.ts'
import type { CachedToken } from './cached-token.ts'
import type { VerifiedTokens } from './verified-tokens.ts'

/** How many entries went. */
export function dropRevoked(tokens: VerifiedTokens, row: KnownRevocation): number {
  if (row.kind === 'token') return tokens.dropNamed(tokenId(row.kid as Kid, row.nonce as Nonce))
  const cutOffs = new CutOffs()
  cutOffs.take(row)
  return tokens.dropWhere((token) => isCutOff(token, cutOffs))
}

/** As the verifier judges it: the token, and every token it was made from, which were of the same subject. */
function isCutOff({ identifier, org }: CachedToken, cutOffs: CutOffs): boolean {
  return [identifier, ...identifier.ancestors].some(
    (token) => cutOffs.fallen(token, org, identifier.subject) !== undefined,
  )
}
