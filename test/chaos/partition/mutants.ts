/** The bugs that a run finds, each with the fault that shows it. */
import type { Rule } from '../../history/check.ts'
import type { Mutant } from '../mutants/mutant.ts'
import { cutRegion, cutServices, everSlower, kill, meanwhile, moveWallClock, type Fault } from './nemesis.ts'

export interface FoundMutant extends Mutant {
  readonly breaks: Rule
  readonly leaseMs: number
  readonly faults: readonly Fault[]
  readonly at?: 'primary'
  readonly slowLinks?: true
}

/** It shows without a fault. */
const ANYWAY = { leaseMs: 600, faults: [] } as const
/** Long enough that a primary starts again, or a clock is moved, while a region that was cut off still has its lease. */
const LONG_LEASE_MS = 8_000

export const MUTANTS: readonly FoundMutant[] = [
  {
    ...ANYWAY,
    name: 'revocations are known and not looked up',
    file: 'shared/verifier/revocation-status.ts',
    find: "if (revoked(token.kid, token.nonce)) return 'revoked'",
    replace: '',
    breaks: 'S1',
  },
  {
    ...ANYWAY,
    name: 'descendants of a revoked token are not covered',
    file: 'shared/verifier/revocation-status.ts',
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
    replace: 'if (index === undefined || index >= 0) return true',
    breaks: 'S12',
  },
  {
    ...ANYWAY,
    name: 'a cut-off of a subject spares what was issued in its own millisecond',
    shows: 'subject cut-off compared wrongly',
    file: 'shared/verifier/cut-offs.ts',
    find: "return issuedMs <= (own.subjects.get(subject) ?? -1) ? 'revoked' : undefined",
    replace: "return issuedMs < (own.subjects.get(subject) ?? -1) ? 'revoked' : undefined",
    breaks: 'S1',
  },
  {
    ...ANYWAY,
    name: 'a cut-off of a subject takes along what was issued after it',
    shows: 'subject cut-off compared wrongly',
    file: 'shared/verifier/cut-offs.ts',
    find: "return issuedMs <= (own.subjects.get(subject) ?? -1) ? 'revoked' : undefined",
    replace: "return own.subjects.has(subject) ? 'revoked' : undefined",
    breaks: 'S12',
  },
  {
    ...ANYWAY,
    name: 'the tokens of a retired key live on',
    file: 'shared/verifier/cut-offs.ts',
    find: "if (own.keys.has(kid)) return 'key_retired'",
    replace: '',
    breaks: 'S1',
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
    name: 'what a worker has cached does not end with its lease',
    shows: 'cache not dropped',
    file: 'shared/freshness/holder.ts',
    find: 'Math.max(0, lease.grant.leaseMs - elapsedMs(lease.sent, now))',
    replace: 'lease.grant.leaseMs',
    breaks: 'S4',
    leaseMs: 1_000,
    faults: [cutServices('cut both ways', 'fra', 2_500)],
  },
  {
    name: 'a worker’s lease is not shortened by the age of its replica’s',
    shows: 'worker lease not reduced by the age of the replica’s',
    file: 'replica/feed/feed.ts',
    find: 'leaseMs: mayJudge ? freshness.remainingMs(now) : 0',
    replace: 'leaseMs: mayJudge ? freshness.remainingMs(now) + freshness.ageMs(now) : 0',
    breaks: 'S4',
    leaseMs: 1_500,
    faults: [cutRegion('cut both ways', 'fra', 3_500)],
  },
  {
    name: 'a lease runs from the receipt of its answer',
    shows: 'lease from receipt time',
    file: 'shared/freshness/holder.ts',
    find: 'const pending = [...fenced.pending, { grant, sent: ping.sent }]',
    replace: 'const pending = [...fenced.pending, { grant, sent: now }]',
    slowLinks: true,
    breaks: 'S4',
    leaseMs: 1_000,
    faults: [everSlower('fra', [300, 600, 900, 1_200, 1_500], 2_500)],
  },
  {
    name: 'a lease ends by the wall clock alone',
    shows: 'wall clock only',
    file: 'shared/freshness/clock-reading.ts',
    find: 'return Math.max(to.monotonicMs - from.monotonicMs, to.boottimeMs - from.boottimeMs, to.wallMs - from.wallMs)',
    replace: 'return to.wallMs - from.wallMs',
    breaks: 'S4',
    leaseMs: 1_000,
    faults: [meanwhile(cutRegion('cut both ways', 'fra', 2_500), moveWallClock('fra', -7_200, 2_600), 100)],
  },
  {
    name: 'a revocation that comes counts as a lease',
    shows: 'push treated as lease',
    file: 'replica/freshness/freshness.ts',
    find: "if (this.#holder.pending.length > 0) this.#step({ kind: 'applied', applied })",
    replace:
      'void applied; const { lease } = this.#holder; if (lease) this.#holder = { ...this.#holder, lease: { ...lease, sent: this.#reader.read() } }',
    breaks: 'S4',
    leaseMs: 1_000,
    faults: [cutRegion('cut towards the primary', 'fra', 4_000)],
  },
  {
    name: 'a primary that starts again forgets what it granted',
    shows: 'grants forgotten by a primary restart',
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
    shows: 'wall-clock jump that expires grants at the grantor',
    file: 'primary/freshness/granting.ts',
    find: 'this.book = new GrantBook({\n      clock,',
    replace:
      'this.book = new GrantBook({\n      clock: { monotonicMs: () => clock.wallMs(), after: (ms, call) => clock.after(ms, call) },',
    at: 'primary',
    breaks: 'S2',
    leaseMs: LONG_LEASE_MS,
    faults: [meanwhile(cutRegion('cut both ways', 'fra', 6_000), moveWallClock('primary', 7_200, 3_500), 2_200)],
  },
  {
    name: 'a global wait ends with the first acknowledgement',
    file: 'shared/freshness/grants.ts',
    find: 'for (const holder of this.#holders.values()) covered = earlierMark(covered, coveredMarkOf(holder, nowMs))\n    return covered',
    replace:
      'for (const holder of this.#holders.values()) covered = laterMark(MARK_NONE, coveredMarkOf(holder, nowMs))\n    return covered',
    at: 'primary',
    breaks: 'S2',
    leaseMs: LONG_LEASE_MS,
    faults: [cutRegion('cut both ways', 'fra', 3_000)],
  },
]
