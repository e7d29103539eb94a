/** The verifier that `createVerifier` returns. It answers from the cache if possible, and otherwise asks a replica. */
import type { Identity } from '../../shared/channel/identity.ts'
import { newBootId } from '../../shared/freshness/boot-id.ts'
import { type ClockReading, elapsedMs } from '../../shared/freshness/clock-reading.ts'
import { compareMarks, type Mark } from '../../shared/freshness/mark.ts'
import { ClockReader } from '../../shared/freshness/clock-reader.ts'
import { systemHost, type Host } from '../../shared/service/host.ts'
import { CACHE_BYTES_DEFAULT, CACHE_ENTRIES_DEFAULT } from '../../shared/limits.ts'
import type { Access } from '../../shared/verifier/access.ts'
import { refused } from '../../shared/verifier/verdict.ts'
import { TAG_SEED_BYTES } from './cache/text-tag.ts'
import { FeedClient } from './feed-client.ts'
import { HomeRegion } from './region.ts'
import { type VerifyRequest, ReplicaPool } from './replica-pool.ts'
import type { Verifier, VerifierOptions, VerifyOptions, WorkerVerdict } from './public-types.ts'
import { type CacheStatistics, WorkerCache } from './worker-cache.ts'

const DEFAULT_TIMEOUT_MS = 1_000

/**
 * Every verdict of a replica passes through the cache, which decides whether the verdict may still be used: a revocation may
 * have reached this worker while the answer was on its way.
 */
export class CachingVerifier implements Verifier {
  readonly #timeoutMs: number
  readonly #clock: ClockReader
  readonly #cache: WorkerCache
  readonly #feed: FeedClient | undefined
  readonly #pool: ReplicaPool

  constructor(options: Omit<VerifierOptions, 'identity'>, identity: Identity, host: Host = systemHost) {
    this.#clock = new ClockReader(host.clock)
    const { cluster, replicas, cache = true, timeoutMs = DEFAULT_TIMEOUT_MS } = options
    this.#timeoutMs = timeoutMs
    const { entries = CACHE_ENTRIES_DEFAULT, bytes = CACHE_BYTES_DEFAULT } = typeof cache === 'object' ? cache : {}
    const seed = host.entropy.bytes(TAG_SEED_BYTES)
    const now = (): ClockReading => this.#clock.read()
    const { onAlarm } = options
    this.#cache = new WorkerCache({ bounds: { entries, bytes }, seed, now, onAlarm })
    const region = new HomeRegion({ region: options.region, crossRegion: options.crossRegion ?? false })
    const common = { cluster, replicas, identity, region, host }
    const boot = newBootId(host.entropy)
    const feeding = { ...common, boot, cache: this.#cache }
    // Without a feed there is no lease, and without a lease the cache keeps nothing.
    this.#feed = cache === false ? undefined : new FeedClient(feeding)
    this.#pool = new ReplicaPool({
      ...common,
      now,
      preferred: () => this.#feed?.connected,
      onAnswer: (answer, asked) => this.#cache.heard(answer, asked),
    })
  }

  readonly verify: Verifier['verify'] = async (token, access, options = {}) => {
    return this.#cache.judge(token, access, options) ?? this.#ask(token, access, options)
  }

  readonly explain: Verifier['explain'] = (token, access, { minPosition, peer, signal, timeoutMs } = {}) => {
    const limits = { timeoutMs: timeoutMs ?? this.#timeoutMs, signal }
    return this.#pool.explain({ token, access, peer, minPosition }, limits)
  }

  readonly statistics = (): CacheStatistics => {
    return { ...this.#cache.statistics(), feedError: this.#feed?.error ?? null }
  }

  readonly close = async (): Promise<void> => {
    await Promise.all([this.#feed?.close(), this.#pool.close()])
    this.#cache.close()
    this.#clock.close()
  }

  /** True if the replica could not reach a minimum that was lowered meanwhile. Then a second request may succeed. */
  #isOutdated(verdict: WorkerVerdict, asked: Mark): boolean {
    return !verdict.ok && verdict.reason === 'unavailable' && compareMarks(this.#cache.minimum, asked) < 0
  }

  /** Asks a replica. If a revocation arrived while the answer was on its way, it discards the answer and asks again. */
  async #ask(token: string, access: Access, options: VerifyOptions): Promise<WorkerVerdict> {
    const { minPosition, peer, signal, timeoutMs = this.#timeoutMs } = options
    const started = this.#clock.read()
    for (;;) {
      const { minimum } = this.#cache
      const request: VerifyRequest = { token, access, peer, minPosition, ...(minimum.epoch < 0 ? {} : { minimum }) }
      const asked = this.#cache.ask()
      const leftMs = Math.max(1, Math.ceil(timeoutMs - elapsedMs(started, asked.at)))
      const verdict = await this.#pool.verify(request, { timeoutMs: leftMs, signal })
      const used = this.#cache.use(token, verdict, asked) && !this.#isOutdated(verdict, minimum)
      // A process that was stopped may receive an old answer when it continues.
      const late = elapsedMs(started, this.#clock.read()) >= timeoutMs
      if (used && !(late && verdict.ok)) return verdict
      if (late) return refused('unavailable', `no usable answer came within ${timeoutMs} ms`)
    }
  }
}
