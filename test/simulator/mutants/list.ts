/** Bugs that comparable systems shipped, or that a careless hand could write here, and the promise that each breaks. */
import type { Mutant } from '../../chaos/mutants/mutant.ts'

export interface SimulatedMutant extends Mutant {
  /** As failures of a run begin. */
  readonly breaks: string
}

export const MUTANTS: readonly SimulatedMutant[] = [
  {
    name: 'revocations are known and not looked up',
    file: 'shared/verifier/standing.ts',
    find: "return tables.revoked(kid, nonce) ? 'revoked' : undefined",
    replace: 'return undefined',
    breaks: 'S1',
  },
  {
    name: 'descendants of a revoked token are not covered',
    file: 'shared/verifier/standing.ts',
    find: 'for (const { kid, nonce } of identifier.ancestors) {',
    replace: 'for (const { kid, nonce } of identifier.ancestors.slice(0, 0)) {',
    breaks: 'S1',
  },
  {
    name: 'the signature is recomputed and not compared',
    file: 'shared/macaroon/signature.ts',
    find: 'if (!equalSecrets(expected, macaroon.signature)) return undefined',
    replace: '',
    breaks: 'S6',
  },
  {
    name: 'every token counts as revoked',
    file: 'shared/verifier/revocation-table.ts',
    find: 'if (index === undefined) return false',
    replace: 'return true',
    breaks: 'S12',
  },
]
