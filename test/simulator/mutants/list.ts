/** Bugs that comparable systems shipped, or that a careless hand could write here, and the promise that each breaks. */
import type { Mutant } from '../../chaos/mutants/mutant.ts'
import type { Aim } from '../plan/plan.ts'

export interface SimulatedMutant extends Mutant {
  /** As failures of a run begin. */
  readonly breaks: string
  /** What is drawn, where few of all schedules would show it. */
  readonly aim?: Aim
  readonly steps?: number
}

const CUTS = { kinds: ['cut both ways', 'cut towards the replica', 'cut towards the primary'] } as const

export const MUTANTS: readonly SimulatedMutant[] = [
  {
    name: 'revocations are known and not looked up',
    file: 'shared/verifier/standing.ts',
    find: "if (revoked(token.kid, token.nonce)) return 'revoked'",
    replace: '',
    breaks: 'S1',
  },
  {
    name: 'descendants of a revoked token are not covered',
    file: 'shared/verifier/standing.ts',
    find: 'for (const ancestor of identifier.ancestors) {',
    replace: 'for (const ancestor of identifier.ancestors.slice(0, 0)) {',
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
  {
    name: 'caveats are read and not judged',
    file: 'shared/verifier/facts-judge.ts',
    find: 'return asked.every(predicate.allows) ? ALLOWED',
    replace: 'return asked.length > 0 ? ALLOWED',
    breaks: 'S6',
  },
  {
    name: 'a token counts in every org',
    file: 'shared/verifier/verifier.ts',
    find: 'facts.org === key.org ? undefined : orgMismatch()',
    replace: 'undefined',
    breaks: 'S6',
  },
  {
    name: 'a service token does not name what it was made from',
    file: 'shared/macaroon/identifier.ts',
    find: 'const { kid, nonce, expiresAt, ancestors } = identifier',
    replace: 'const { kid, nonce, expiresAt } = identifier\n  const ancestors = identifier.ancestors.slice(0, 0)',
    breaks: 'S1',
  },
  {
    name: 'a lease never ends',
    aim: CUTS,
    file: 'shared/freshness/holder.ts',
    find: 'Math.max(0, lease.grant.leaseMs - elapsedMs(lease.sent, now))',
    replace: 'lease.grant.leaseMs',
    breaks: 'S4',
  },
  {
    name: 'a lease runs from the receipt of its answer',
    aim: { kinds: [...CUTS.kinds, 'slow link', 'flapping'], leaseMs: 700 },
    file: 'shared/freshness/holder.ts',
    find: 'const pending = [...fenced.pending, { grant, sent: ping.sent }]',
    replace: 'const pending = [...fenced.pending, { grant, sent: now }]',
    breaks: 'S4',
  },
  {
    name: 'a lease ends by the wall clock alone',
    steps: 40,
    aim: { kinds: [...CUTS.kinds, 'wall clock moved'], leaseMs: 400 },
    file: 'shared/freshness/clock-reading.ts',
    find: 'return Math.max(to.monotonicMs - from.monotonicMs, to.boottimeMs - from.boottimeMs, to.wallMs - from.wallMs)',
    replace: 'return to.wallMs - from.wallMs',
    breaks: 'S4',
  },
  {
    name: 'a lease ends by the monotonic clock alone',
    aim: { kinds: [...CUTS.kinds, 'asleep'], leaseMs: 400 },
    file: 'shared/freshness/clock-reading.ts',
    find: 'return Math.max(to.monotonicMs - from.monotonicMs, to.boottimeMs - from.boottimeMs, to.wallMs - from.wallMs)',
    replace: 'return to.monotonicMs - from.monotonicMs',
    breaks: 'S4',
  },
  {
    name: 'a revocation that comes counts as a lease',
    aim: { kinds: ['cut towards the primary'], leaseMs: 400 },
    file: 'replica/freshness/freshness.ts',
    find: "if (this.#holder.pending.length > 0) this.#step({ kind: 'applied', applied: this.#options.applied() })",
    replace:
      'const { lease } = this.#holder; if (lease) this.#holder = { ...this.#holder, lease: { ...lease, sent: this.#reader.read() } }',
    breaks: 'S4',
  },
  {
    name: 'a primary that starts again forgets what it granted',
    steps: 50,
    aim: { kinds: [...CUTS.kinds, 'killed'], leaseMs: 2_500 },
    file: 'primary/freshness/granting.ts',
    find: 'earlierLeaseMs: options.leaseMsMax(),',
    replace: 'earlierLeaseMs: 0,',
    breaks: 'S2',
  },
  {
    name: 'the wall clock of the primary ends what it granted',
    aim: { kinds: [...CUTS.kinds, 'wall clock moved'], leaseMs: 1_000 },
    file: 'primary/freshness/granting.ts',
    find: 'this.book = new GrantBook({\n      clock,',
    replace: 'this.book = new GrantBook({\n      clock: { ...clock, monotonicMs: () => clock.wallMs() },',
    breaks: 'S2',
  },
  {
    name: 'a global wait ends with the first acknowledgement',
    aim: { ...CUTS, leaseMs: 1_000 },
    file: 'shared/freshness/grants.ts',
    find: 'for (const holder of this.#holders.values()) covered = earlierMark(covered, limitOf(holder, nowMs))\n    return covered',
    replace:
      'for (const holder of this.#holders.values()) covered = laterMark(MARK_NONE, limitOf(holder, nowMs))\n    return covered',
    breaks: 'S2',
  },
  {
    name: 'a lease is given and not written into the book',
    aim: { ...CUTS, leaseMs: 1_000 },
    file: 'primary/freshness/granting.ts',
    find: 'return this.book.grant(holder, { mark, leaseMs }) ? leaseMs : 0',
    replace: 'return leaseMs',
    breaks: 'S2',
  },
  {
    name: 'what was sent counts as applied',
    aim: { ...CUTS, leaseMs: 1_000 },
    file: 'primary/publisher/revocation-session.ts',
    find: 'await connection.send(encodeMessage(message))',
    replace: 'this.#options.onCovered(this.#sent)\n      await connection.send(encodeMessage(message))',
    breaks: 'S2',
  },
  {
    name: 'a replica answers for its workers before they have a revocation',
    aim: CUTS,
    file: 'replica/freshness/coverage-reporter.ts',
    find: 'await book.covered(mark, signal)',
    replace: 'await Promise.resolve(book)',
    breaks: 'S2',
  },
  {
    name: 'a position that is asked for is not waited for',
    aim: { kinds: [...CUTS.kinds, 'slow link'] },
    file: 'replica/verify/verify-api.ts',
    find: 'if (asked.minPosition !== undefined || !this.#knows(asked.minimum)) return',
    replace: 'if (!this.#knows(asked.minimum)) return',
    breaks: 'S5',
  },
  {
    name: 'who waited long enough for a position gets an older state',
    aim: { kinds: [...CUTS.kinds, 'slow link', 'killed'], leaseMs: 2_500 },
    file: 'replica/verify/verify-api.ts',
    find: '!reached()) return walk.answer(walk.judge(), notReached())',
    replace: '!reached()) return walk.answer(walk.judge())',
    breaks: 'S5',
  },
  {
    name: 'commits do not wait for the disk',
    aim: { kinds: ['power lost'] },
    file: 'shared/sqlite/connection.ts',
    find: "connection.pragma('synchronous = FULL')",
    replace: "connection.pragma('synchronous = OFF')",
    breaks: 'primary ended',
  },
  {
    name: 'of a torn log only the last record is cut off',
    aim: { kinds: ['power lost'] },
    file: 'primary/commit-log/log-file.ts',
    find: 'if (repair) this.#dropTorn()',
    replace: '',
    breaks: 'primary ended',
  },
  {
    name: 'who lost a connection waits too long before the next',
    aim: { kinds: ['killed', 'links broken'] },
    file: 'shared/channel/supervisor.ts',
    find: 'await sleep(this.#options.clock, delayMs, this.#options.signal)',
    replace: 'await sleep(this.#options.clock, delayMs * 100, this.#options.signal)',
    breaks: 'V2',
  },
  {
    name: 'a primary takes the time at its start from its own clock alone',
    aim: { kinds: ['killed', 'wall clock moved'] },
    file: 'primary/freshness/granting.ts',
    find: 'witnessed: hasReplicas',
    replace: 'witnessed: false',
    breaks: 'V2',
  },
]
