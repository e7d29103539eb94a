/** Bugs that a careless hand could write, planted while a node's modules load: a run must find each by the promise it breaks. */
import { expect, test } from 'vitest'
import { checkHistory, type Rule } from '../../history/check.ts'
import { type Mutant, planted } from '../mutants/mutant.ts'
import { boundsFor, runPartitions } from './run.ts'

const LEASE_MS = 1_000

const MUTANTS: readonly (Mutant & { readonly breaks: Rule })[] = [
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

test('a bug that no longer has its place is told, not passed over', () => {
  const [mutant] = MUTANTS
  if (mutant === undefined) throw new Error('there are mutants')
  expect(() => planted('another text', mutant)).toThrow(/found 0 times/)
  expect(() => planted(mutant.find + mutant.find, mutant)).toThrow(/found 2 times/)
  expect(planted(`a ${mutant.find} b`, mutant)).toBe(`a ${mutant.replace} b`)
})

test.each(MUTANTS)('it is found that $name', async ({ breaks, ...mutant }) => {
  const events = await runPartitions({ seed: 1, leaseMs: LEASE_MS, faults: [], mutant })
  const { violations } = checkHistory(events, boundsFor(LEASE_MS))
  expect(violations.map(({ rule }) => rule)).toContain(breaks)
})
