/** Drops the entries that a revocation denies. No other part of a worker depends on the kinds of revocations. */
import { type Kid, type Nonce, tokenId } from '../../../shared/ids.ts'
import type { KnownRevocation } from '../../../shared/verifier/revocation-row.ts'
import { CutOffs } from '../../../shared/verifier/cut-offs.ts'
import type { CachedToken } from './cached-token.ts'
import type { VerifiedTokens } from './verified-tokens.ts'

/** Returns the number of dropped entries. */
export function dropRevoked(tokens: VerifiedTokens, row: KnownRevocation): number {
  if (row.kind === 'token') return tokens.dropNamed(tokenId(row.kid as Kid, row.nonce as Nonce))
  const cutOffs = new CutOffs()
  cutOffs.take(row)
  return tokens.dropWhere((token) => isCutOff(token, cutOffs))
}

/** Judges the token and its ancestors, like the verifier. Ancestors have the subject of the token. */
function isCutOff({ identifier, org }: CachedToken, cutOffs: CutOffs): boolean {
  return [identifier, ...identifier.ancestors].some(
    (token) => cutOffs.refusalOf(token, org, identifier.subject) !== undefined,
  )
}
