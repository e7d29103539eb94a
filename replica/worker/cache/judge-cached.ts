/**
 * Judges a bundle that was verified before: the checks of `judge` in shared/verifier/verifier.ts after keys and chains.
 * It does not check revocations, because a revoked entry is no longer in the cache.
 */
import type { CompiledCaveat } from '../../../shared/macaroon/predicate/cache.ts'
import { type Access, type Context, readFacts } from '../../../shared/verifier/access.ts'
import { type Circumstances, judgeCompiled } from '../../../shared/verifier/facts-judge.ts'
import { NO_TABLES } from '../../../shared/verifier/revocation-status.ts'
import { isRefused, type Refused, type Verdict } from '../../../shared/verifier/verdict.ts'
import { WorkBudget } from '../../../shared/verifier/work.ts'
import { credible, expiry, orgMismatch } from '../../../shared/verifier/verifier.ts'
import type { CachedToken } from './cached-token.ts'

/**
 * The verdict that a replica would give on the same state. Undefined if only a replica can decide: the time is unknown, a
 * caveat needs a fresher state, or a discharge refused.
 */
export function judgeCached(token: CachedToken, access: Access, context: Context): Verdict | undefined {
  if (credible(context) !== undefined) return undefined
  const expired = expiry(token.identifier, context)
  if (expired !== undefined) return expired
  const facts = readFacts(access, context)
  if (isRefused(facts)) return facts
  if (facts.org !== token.org) return orgMismatch()
  const circumstances = { facts, tables: NO_TABLES, work: new WorkBudget() }
  const refusal = firstRefusal(token.own, circumstances)
  if (refusal !== undefined) return refusal.reason === 'unavailable' ? undefined : refusal
  return firstRefusal(token.discharged, circumstances) === undefined ? token.accepted : undefined
}

function firstRefusal(caveats: readonly CompiledCaveat[], circumstances: Circumstances): Refused | undefined {
  for (const caveat of caveats) {
    const verdict = judgeCompiled(caveat, circumstances)
    if (!verdict.ok) return verdict
  }
  return undefined
}
