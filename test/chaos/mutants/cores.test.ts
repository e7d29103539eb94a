/**
 * Bugs that show for a moment only, or after a power cut: the tests of the cores find them, where time is a parameter.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Mutant, MUTANT_VARIABLE } from './mutant.ts'

interface CoreMutant extends Mutant {
  /** Finds it. */
  readonly by: string
}

const ROOT = join(import.meta.dirname, '../../..')

const MUTANTS: readonly CoreMutant[] = [
  {
    name: 'a lease runs from the receipt of its answer',
    file: 'shared/freshness/holder.ts',
    find: 'const pending = [...fenced.pending, { grant, sent: ping.sent }]',
    replace: 'const pending = [...fenced.pending, { grant, sent: now }]',
    by: 'test/shared/freshness/holder.test.ts',
  },
  {
    name: 'an answer counts before its revocations are applied',
    file: 'shared/freshness/holder.ts',
    find: 'if (timeline !== grant.timeline || seq < grant.seq) return false',
    replace: 'if (timeline !== grant.timeline) return false',
    by: 'test/shared/freshness/holder.test.ts',
  },
  {
    name: 'a restarted holder judges by the pages it had',
    file: 'shared/freshness/holder.ts',
    find: 'if (!needsPages || paged === grant.timeline) return true',
    replace: 'return true',
    by: 'test/shared/freshness/holder.test.ts',
  },
  {
    name: 'a lease of an epoch that was left behind goes on',
    file: 'shared/freshness/holder.ts',
    find: 'if (epoch < state.epoch) return undefined',
    replace: 'if (epoch < state.epoch) return state',
    by: 'test/shared/freshness/holder.test.ts',
  },
  {
    name: 'the lease is not looked at again after computing',
    file: 'replica/verify/verify-api.ts',
    find: 'return this.#standing.withoutLease() ?? this.#later(verdict) ?? verdict',
    replace: 'return this.#later(verdict) ?? verdict',
    by: 'test/replica/verify/verify-api.test.ts',
  },
  {
    name: 'a cut-off spares what was issued in its own millisecond',
    file: 'shared/verifier/cut-offs.ts',
    find: "return issuedMs <= (own.subjects.get(subject) ?? -1) ? 'revoked' : undefined",
    replace: "return issuedMs < (own.subjects.get(subject) ?? -1) ? 'revoked' : undefined",
    by: 'test/shared/verifier/cut-offs.test.ts',
  },
  {
    name: 'an ancestor is judged without its subject',
    file: 'shared/verifier/standing.ts',
    find: 'const reason = standingOf(ancestor, identifier.subject, ancestorKey, tables)',
    replace: 'const reason = standingOf(ancestor, undefined, ancestorKey, tables)',
    by: 'test/shared/verifier/cut-offs.test.ts',
  },
  {
    name: 'a mint after a cut-off may share its millisecond',
    file: 'primary/authority/revoke.ts',
    find: 'if (untilMs >= state.issue.lastMs) state.issue = resumeNonces(untilMs)',
    replace: '',
    by: 'test/primary/authority/revoke.test.ts',
  },
  {
    name: 'a revocation that is not understood is acknowledged',
    file: 'replica/revocations/stream.ts',
    find: 'if (unknown === -1) return stretch',
    replace: 'return stretch',
    by: 'test/replica/revocations/stream.test.ts',
  },
  {
    name: 'a grantor counts a lease no longer than its own clock says',
    file: 'shared/freshness/bound.ts',
    find: 'return (leaseMs * (1 + clockRateError)) / (1 - clockRateError) ** hops',
    replace: 'return leaseMs',
    by: 'test/shared/freshness/grants.test.ts',
  },
  {
    name: 'another process of the same replica answers for the one before',
    file: 'shared/freshness/grants.ts',
    find: 'return `${peer} ${boot}`',
    replace: 'return peer + boot.slice(0, 0)',
    by: 'test/shared/freshness/grants.test.ts',
  },
  {
    name: 'a lease is given before it is in the book',
    file: 'primary/freshness/granting.ts',
    find: 'return this.book.grant(holder, { mark, leaseMs }) ? leaseMs : 0',
    replace: 'return leaseMs',
    by: 'test/primary/freshness/granting.test.ts',
  },
  {
    name: 'a clock that was set back makes an expired token good again',
    file: 'shared/freshness/credible-time.ts',
    find: 'let latestMs = Math.max(now.wallMs, expectedMs)',
    replace: 'let latestMs = now.wallMs',
    by: 'test/shared/freshness/credible-time.test.ts',
  },
  {
    name: 'a worker keeps an answer that a revocation has overtaken',
    file: 'replica/worker/worker-cache.ts',
    find: 'compareMarks({ epoch, seq }, this.#state.minimum) < 0 || this.#outlived(asked)',
    replace: 'this.#outlived(asked)',
    by: 'test/replica/worker/worker-cache.test.ts',
  },
  {
    name: 'a worker uses an answer that came after its lease',
    file: 'replica/worker/worker-cache.ts',
    find: 'compareMarks({ epoch, seq }, this.#state.minimum) < 0 || this.#outlived(asked)',
    replace: 'compareMarks({ epoch, seq }, this.#state.minimum) < 0',
    by: 'test/replica/worker/worker-cache.test.ts',
  },
  {
    name: 'a purge forgets that service tokens outlive what they were made from',
    file: 'shared/verifier/outlived.ts',
    find: 'ANCESTORS_MAX * SERVICE_TTL_SECONDS_MAX + PURGE_MARGIN_SECONDS',
    replace: 'SERVICE_TTL_SECONDS_MAX + PURGE_MARGIN_SECONDS',
    by: 'test/primary/authority/purge.test.ts',
  },
  {
    name: 'a purge takes a token that never expires for one that expired long ago',
    file: 'shared/verifier/outlived.ts',
    find: "row.kind === 'token' && row.expiresAt > 0 && row.expiresAt < outlivedBefore(nowMs)",
    replace: "row.kind === 'token' && row.expiresAt < outlivedBefore(nowMs)",
    by: 'test/primary/authority/purge.test.ts',
  },
  {
    name: 'a purge believes the wall clock',
    file: 'primary/authority/purge.ts',
    find: 'const nowMs = Math.min(believed.earliestMs, soberMs)',
    replace: 'const nowMs = believed.earliestMs + 0 * soberMs',
    by: 'test/primary/authority/purge.test.ts',
  },
  {
    name: 'a replica passes over a gap in the stream',
    file: 'replica/revocations/stream.ts',
    find: 'requireNoGap(seq, message)',
    replace: 'requireNoGap(message.after, message)',
    by: 'test/replica/revocations/stream.test.ts',
  },
  {
    name: 'a replica takes up a saved table of another history',
    file: 'replica/tables/tables.ts',
    find: 'saved.timeline !== timeline || saved.last !== this.#rowOf(saved.seq)',
    replace: 'saved.seq < 0',
    by: 'test/replica/tables.test.ts',
  },
  {
    name: 'a worker passes over a gap in its feed',
    file: 'replica/worker/feed-core.ts',
    find: 'if (gapAfter(place.seq, stretch) !== undefined) {',
    replace: 'if (gapAfter(stretch.after, stretch) !== undefined) {',
    by: 'test/replica/worker/worker-cache.test.ts',
  },
  {
    name: 'what a worker cached outlives its lease',
    file: 'replica/worker/feed-core.ts',
    find: 'if (!state.live || remainingMs(state.holder, now) > 0) return { state, effects: [] }',
    replace: 'return { state, effects: [] }',
    by: 'test/replica/worker/worker-cache.test.ts',
  },
  {
    name: 'a worker does not look at its lease again after computing',
    file: 'replica/worker/worker-cache.ts',
    find: 'if (lasts(moment, this.#now())) {',
    replace: '{',
    by: 'test/replica/worker/worker-cache.test.ts',
  },
  {
    name: 'a worker goes back to a replica that is behind it',
    file: 'replica/worker/feed-core.ts',
    find: 'if (seq < place.seq) return leave(state,',
    replace: 'if (seq < 0) return leave(state,',
    by: 'test/replica/worker/worker-cache.test.ts',
  },
  {
    name: 'a worker’s lease is not shortened by the age of its replica’s',
    file: 'replica/feed/feed.ts',
    find: 'leaseMs: mayJudge ? freshness.remainingMs(now) : 0',
    replace: 'leaseMs: mayJudge ? freshness.remainingMs(now) + freshness.ageMs(now) : 0',
    by: 'test/replica/feed/feed.test.ts',
  },
  {
    name: 'a worker’s lease is given before it is in the book',
    file: 'replica/feed/feed-session.ts',
    find: 'return this.#options.grants.grant(this.#holder, { mark: { epoch, seq }, leaseMs }) ? leaseMs : 0',
    replace: 'return leaseMs',
    by: 'test/replica/feed/feed.test.ts',
  },
  {
    name: 'a worker gets a lease for revocations that it was not sent',
    file: 'replica/feed/feed.ts',
    find: 'this.#catchUp()\n    const now = freshness.now()',
    replace: 'const now = freshness.now()',
    by: 'test/replica/feed/feed.test.ts',
  },
  {
    name: 'a worker’s word covers it for what it was never sent',
    file: 'replica/feed/feed-session.ts',
    find: 'if (sent?.epoch !== epoch || seq > sent.seq) return',
    replace: '',
    by: 'test/replica/feed/feed.test.ts',
  },
]

/** Exit status, and how many tests failed on an assertion. */
async function run({ by, ...mutant }: CoreMutant, env: Readonly<Record<string, string>>): Promise<string> {
  // A module in the cache of vitest is not planted, and a planted one must not get into it.
  const options = ['run', '--project', 'unit', '--fsModuleCache=false']
  const args = [join(ROOT, 'node_modules/vitest/vitest.mjs'), ...options, by]
  const child = spawn(process.execPath, args, { cwd: ROOT, env: { ...process.env, NO_COLOR: '1', ...env } })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await once(child, 'close')
  expect(text, mutant.name).not.toContain('found 0 times')
  return text
}

test.each(MUTANTS)('it is found that $name', async (mutant) => {
  const { by: _, ...planted } = mutant
  expect(await run(mutant, { [MUTANT_VARIABLE]: JSON.stringify(planted) })).toMatch(/Tests +\d+ failed/)
})
