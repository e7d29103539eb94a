/** The verifier that `createVerifier` returns. It answers from the cache if possible, and otherwise asks a replica. */
import { newBootId } from '../../shared/freshness/boot-id.ts'
import { type ClockReading, elapsedMs } from '../../shared/freshness/clock-reading.ts'
import { compareMarks, type Mark } from '../../shared/freshness/mark.ts'
import { ClockReader } from '../../shared/freshness/clock-reader.ts'
import { systemHost, type Host } from '../../shared/service/host.ts'
import { CACHE_BYTES_DEFAULT, CACHE_ENTRIES_DEFAULT } from '../../shared/limits.ts'
import { safeLogger, type ServiceLogger } from '../../shared/service-logger.ts'
import { refuseUnknownOptions } from '../../shared/unknown-option.ts'
import type { Access } from '../../shared/verifier/access.ts'
import { refused } from '../../shared/verifier/verdict.ts'
import { TAG_SEED_BYTES } from './cache/text-tag.ts'
import { Listeners, revokedEventOf } from './events.ts'
import type { VerifierFeed, VerifierLinks } from './links.ts'
import { HomeRegion } from './region.ts'
import { type VerifyRequest, ReplicaPool } from './replica-pool.ts'
import type { Verifier, VerifierOptions, VerifyOptions, WorkerVerdict } from './public-types.ts'
import { VerifierWatch } from './verifier-watch.ts'
import { type CacheStatistics, WorkerCache } from './worker-cache.ts'

const DEFAULT_TIMEOUT_MS = 1_000
const VERIFY_OPTIONS = ['minPosition', 'peer', 'timeoutMs', 'signal']
const READY_OPTIONS = ['timeoutMs', 'signal']

/**
 * Every verdict of a replica passes through the cache, which decides whether the verdict may still be used: a revocation may
 * have reached this worker while the answer was on its way.
 */
export class CachingVerifier implements Verifier {
  readonly #timeoutMs: number
  readonly #clock: ClockReader
  readonly #cache: WorkerCache
  readonly #feed: VerifierFeed | undefined
  readonly #pool: ReplicaPool
  readonly #listeners: Listeners
  readonly #logger: ServiceLogger
  readonly #watch: VerifierWatch

  constructor(options: Omit<VerifierOptions, 'identity'>, links: VerifierLinks, host: Host = systemHost) {
    this.#clock = new ClockReader(host.clock)
    const { cluster, replicas, cache = true, timeoutMs = DEFAULT_TIMEOUT_MS } = options
    this.#timeoutMs = timeoutMs
    this.#logger = safeLogger(options.logger)
    this.#listeners = new Listeners(this.#logger)
    this.#cache = this.#openCache(options, host)
    const { region: stated, crossRegion = false } = options
    const region = new HomeRegion({ region: stated, crossRegion }, host.clock)
    const onChange = (): void => this.#watch.look()
    const common = { cluster, replicas, region, host, logger: this.#logger, onChange }
    const boot = newBootId(host.entropy)
    const feeding = { ...common, boot, cache: this.#cache }
    // Without a feed there is no lease, and without a lease the cache keeps nothing.
    this.#feed = cache === false ? undefined : links.openFeed(feeding)
    this.#pool = new ReplicaPool({
      ...common,
      openClient: links.openClient,
      now: () => this.#clock.read(),
      preferred: () => this.#feed?.connected,
      onAnswer: (answer, asked) => this.#cache.heard(answer, asked),
    })
    this.#watch = this.#openWatch(host)
    if (options.logger !== undefined) this.#watch.start()
  }

  readonly verify: Verifier['verify'] = async (text, access, options = {}) => {
    refuseUnknownOptions('verify', options, VERIFY_OPTIONS)
    const token = withoutSpace(text)
    return this.#cache.judge(token, access, options) ?? this.#ask(token, access, options)
  }

  readonly explain: Verifier['explain'] = async (text, access, options = {}) => {
    refuseUnknownOptions('explain', options, VERIFY_OPTIONS)
    const { minPosition, peer, signal, timeoutMs = this.#timeoutMs } = options
    return this.#pool.explain({ token: withoutSpace(text), access, peer, minPosition }, { timeoutMs, signal })
  }

  readonly ready: Verifier['ready'] = async (options = {}) => {
    refuseUnknownOptions('ready', options, READY_OPTIONS)
    return this.#watch.ready(options)
  }

  readonly health: Verifier['health'] = () => this.#watch.health()

  readonly on: Verifier['on'] = (name, listener) => {
    const remove = this.#listeners.add(name, listener)
    this.#watch.start()
    return remove
  }

  readonly statistics = (): CacheStatistics => {
    return { ...this.#cache.statistics(), feedError: this.#feed?.error ?? null }
  }

  readonly close = async (): Promise<void> => {
    this.#watch.close()
    await Promise.all([this.#feed?.close(), this.#pool.close()])
    this.#cache.close()
    this.#clock.close()
  }

  readonly [Symbol.asyncDispose] = (): Promise<void> => this.close()

  #openCache({ cache, onAlarm }: Pick<VerifierOptions, 'cache' | 'onAlarm'>, { entropy }: Host): WorkerCache {
    const { entries = CACHE_ENTRIES_DEFAULT, bytes = CACHE_BYTES_DEFAULT } = typeof cache === 'object' ? cache : {}
    return new WorkerCache({
      bounds: { entries, bytes },
      seed: entropy.bytes(TAG_SEED_BYTES),
      now: (): ClockReading => this.#clock.read(),
      onAlarm: (alarm) => {
        this.#logger.error(alarm, 'alarm')
        if (onAlarm !== undefined) this.#listeners.call('onAlarm', () => onAlarm(alarm))
      },
      onLease: (held) => this.#leaseChanged(held),
      onRevoked: (rows) => {
        for (const event of rows.flatMap((row) => revokedEventOf(row) ?? [])) this.#listeners.emit('revoked', event)
      },
    })
  }

  #openWatch({ clock }: Host): VerifierWatch {
    return new VerifierWatch({
      pool: this.#pool,
      lease: () => this.#cache.statistics(),
      feedRefusal: (peerId) => this.#feed?.refusalOf(peerId),
      onTick: () => void this.#cache.step({ kind: 'time passed' }),
      clock,
      listeners: this.#listeners,
      logger: this.#logger,
    })
  }

  #leaseChanged(held: boolean): void {
    this.#listeners.emit(held ? 'leaseBack' : 'leaseLost', { atMs: this.#clock.read().wallMs })
    if (held) this.#logger.info({}, 'the cache has a lease')
    else this.#logger.warn({}, 'the lease has ended, and the cache is empty')
    this.#watch.look()
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
      if (late) return this.#pool.withCause(refused('unavailable', `no usable answer came within ${timeoutMs} ms`))
    }
  }
}

/** A token read from a file or a header often ends with a line break. A caller without types may pass no text. */
function withoutSpace(token: string): string {
  return typeof token === 'string' ? token.trim() : token
}
