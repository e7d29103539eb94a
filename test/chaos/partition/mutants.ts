/** The bugs that a run finds, each with the fault that shows it. */
import type { Rule } from '../../history/check.ts'
import type { Mutant } from '../mutants/mutant.ts'
import { cutRegion, kill, meanwhile, moveWallClock, type Fault } from './nemesis.ts'

export interface FoundMutant extends Mutant {
  readonly breaks: Rule
  readonly leaseMs: number
  readonly faults: readonly Fault[]
  readonly at?: 'primary'
}

/** It shows without a fault. */
const ANYWAY = { leaseMs: 600, faults: [] } as const
/** Long enough that a primary starts again, or a clock is moved, while a region that was cut off still has its lease. */
const LONG_LEASE_MS = 8_000

export const MUTANTS: readonly FoundMutant[] = [
  {
    ...ANYWAY,
    name: 'revocations are known and not looked up',
    file: 'shared/verifier/standing.ts',
    find: "if (revoked(token.kid, token.nonce)) return 'revoked'",
    replace: '',
    breaks: 'S1',
  },
  {
    ...ANYWAY,
    name: 'descendants of a revoked token are not covered',
    file: 'shared/verifier/standing.ts',
    find: 'for (const ancestor of identifier.ancestors) {',
    replace: 'for (const ancestor of identifier.ancestors.slice(0, 0)) {',
    breaks: 'S1',
  },
  {
    ...ANYWAY,
    name: 'the signature is recomputed and not compared',
    file: 'shared/macaroon/signature.ts',
    find: 'if (!equalSecrets(expected, macaroon.signature)) return undefined',
    replace: '',
    breaks: 'S6',
  },
  {
    ...ANYWAY,
    name: 'every token counts as revoked',
    file: 'shared/verifier/revocation-table.ts',
    find: 'if (index === undefined) return false',
    replace: 'return true',
    breaks: 'S12',
  },
  {
    name: 'a lease never ends',
    file: 'shared/freshness/holder.ts',
    find: 'Math.max(0, lease.grant.leaseMs - elapsedMs(lease.sent, now))',
    replace: 'lease.grant.leaseMs',
    breaks: 'S4',
    leaseMs: 1_000,
    faults: [cutRegion('cut both ways', 'fra', 2_500)],
  },
  {
    name: 'a lease ends by the wall clock alone',
    file: 'shared/freshness/clock-reading.ts',
    find: 'return Math.max(to.monotonicMs - from.monotonicMs, to.boottimeMs - from.boottimeMs, to.wallMs - from.wallMs)',
    replace: 'return to.wallMs - from.wallMs',
    breaks: 'S4',
    leaseMs: 1_000,
    faults: [meanwhile(cutRegion('cut both ways', 'fra', 2_500), moveWallClock('fra', -7_200, 2_600), 100)],
  },
  {
    name: 'a revocation that comes counts as a lease',
    file: 'replica/freshness/freshness.ts',
    find: "if (this.#holder.pending.length > 0) this.#step({ kind: 'applied', applied: this.#options.applied() })",
    replace:
      'const { lease } = this.#holder; if (lease) this.#holder = { ...this.#holder, lease: { ...lease, sent: this.#reader.read() } }',
    breaks: 'S4',
    leaseMs: 1_000,
    faults: [cutRegion('cut towards the primary', 'fra', 4_000)],
  },
  {
    name: 'a primary that starts again forgets what it granted',
    file: 'primary/freshness/granting.ts',
    find: 'earlierLeaseMs: options.leaseMsMax(),',
    replace: 'earlierLeaseMs: 0,',
    at: 'primary',
    breaks: 'S2',
    leaseMs: LONG_LEASE_MS,
    faults: [meanwhile(cutRegion('cut both ways', 'fra', 8_000), kill('primary', 0), 50)],
  },
  {
    name: 'the wall clock of the primary ends what it granted',
    file: 'primary/freshness/granting.ts',
    find: 'this.book = new GrantBook({\n      clock,',
    replace: 'this.book = new GrantBook({\n      clock: { monotonicMs: () => clock.wallMs() },',
    at: 'primary',
    breaks: 'S2',
    leaseMs: LONG_LEASE_MS,
    faults: [meanwhile(cutRegion('cut both ways', 'fra', 4_000), moveWallClock('primary', 7_200, 3_000), 500)],
  },
  {
    name: 'a global wait ends with the first acknowledgement',
    file: 'shared/freshness/grants.ts',
    find: 'for (const holder of this.#holders.values()) covered = earlierMark(covered, limitOf(holder, nowMs))\n    return covered',
    replace:
      'for (const holder of this.#holders.values()) covered = laterMark(MARK_NONE, limitOf(holder, nowMs))\n    return covered',
    at: 'primary',
    breaks: 'S2',
    leaseMs: LONG_LEASE_MS,
    faults: [cutRegion('cut both ways', 'fra', 3_000)],
  },
]
