/** Planted bugs of a worker's cache and feed. */
import type { CoreMutant } from '../core-mutant.ts'

export const WORKER_MUTANTS: readonly CoreMutant[] = [
  {
    name: 'a worker keeps an answer that a revocation has overtaken',
    shows: 'answer in flight cached after its revocation',
    file: 'replica/worker/worker-cache.ts',
    find: 'compareMarks({ epoch, seq }, this.#state.minimum) < 0 || this.#leaseEndedSince(asked)',
    replace: 'this.#leaseEndedSince(asked)',
    by: 'test/replica/worker/worker-cache.test.ts',
  },
  {
    name: 'a worker uses an answer that came after its lease',
    file: 'replica/worker/worker-cache.ts',
    find: 'compareMarks({ epoch, seq }, this.#state.minimum) < 0 || this.#leaseEndedSince(asked)',
    replace: 'compareMarks({ epoch, seq }, this.#state.minimum) < 0',
    by: 'test/replica/worker/worker-cache.test.ts',
  },
  {
    name: 'a minimum that no replica reaches is never taken back',
    file: 'replica/worker/feed-core.ts',
    find: 'return lowerMinimum(state, place, place, now)',
    replace: 'return unchanged(state)',
    by: 'test/replica/worker/minimum.test.ts',
  },
  {
    name: 'a minimum is taken back by a lease from before it was heard',
    file: 'replica/worker/feed-core.ts',
    find: 'return sinceMs * (1 - CLOCK_RATE_ERROR_MAX) > ageMs * (1 + CLOCK_RATE_ERROR_MAX)',
    replace: 'return sinceMs * (1 - CLOCK_RATE_ERROR_MAX) > 0 * ageMs',
    by: 'test/replica/worker/minimum.test.ts',
  },
  {
    name: 'a minimum is taken back without a lease',
    file: 'replica/worker/feed-core.ts',
    find: 'message.leaseMs > 0 && message.seq === at.seq',
    replace: 'message.leaseMs >= 0 && message.seq === at.seq',
    by: 'test/replica/worker/minimum.test.ts',
  },
  {
    name: 'a worker takes an answer for what it says it is',
    file: 'replica/worker/replica-pool.ts',
    find: 'if (result.success) return result.data',
    replace: 'if (result.success || value !== undefined) return value as T',
    by: 'test/replica/worker/replica-pool.test.ts',
  },
  {
    name: 'a worker passes over a gap in its feed',
    shows: 'feed gap ignored',
    file: 'replica/worker/feed-core.ts',
    find: 'if (gapAfter(at.seq, stretch) !== undefined) {',
    replace: 'if (gapAfter(stretch.after, stretch) !== undefined) {',
    by: 'test/replica/worker/worker-cache.test.ts',
  },
  {
    name: 'what a worker cached outlives its lease',
    shows: 'cache not dropped',
    file: 'replica/worker/feed-core.ts',
    find: 'if (!state.live || remainingMs(state.holder, now) > 0) return { state, effects: [] }',
    replace: 'return { state, effects: [] }',
    by: 'test/replica/worker/worker-cache.test.ts',
  },
  {
    name: 'a worker does not look at its lease again after computing',
    file: 'replica/worker/worker-cache.ts',
    find: 'if (isCurrent(frozen, this.#now())) {',
    replace: '{',
    by: 'test/replica/worker/worker-cache.test.ts',
  },
  {
    name: 'a worker goes back to a replica that is behind it',
    file: 'replica/worker/feed-core.ts',
    find: 'return seq < place.seq ?',
    replace: 'return seq < 0 ?',
    by: 'test/replica/worker/worker-cache.test.ts',
  },
]
