/** A bucket behind a network that spoils a part of all requests, and answers some with a page of its own. */
import { join } from 'node:path'
import { type Fault, FaultProxy, FAULTS } from '../../interop/s3/fault-proxy.ts'
import { KEYS, startStore, type Store, urlOf } from '../../interop/s3/store.ts'
import type { Random } from '../random.ts'

/** Of all requests, while it lies. */
const SPOILED_SHARE = 0.25

export class LyingArchive {
  readonly env: Readonly<Record<string, string>> = KEYS
  readonly #store: Store
  readonly #proxy: FaultProxy

  private constructor(store: Store, proxy: FaultProxy) {
    this.#store = store
    this.#proxy = proxy
  }

  static async start(folder: string): Promise<LyingArchive> {
    const store = await startStore(join(folder, 'store'))
    return new LyingArchive(store, await FaultProxy.start(store.address))
  }

  /** For the configuration of the primary: every job comes several times a minute. */
  get settings(): string {
    const jobs = ['level_1 = "*/5', 'level_2 = "*/10', 'snapshot = "*/20', 'retention = "*/15', 'drill = "*/15']
    const schedule = [...jobs, 'heartbeat = "*/10'].map((job) => `${job} * * * * *"`)
    const to = urlOf(this.#proxy.address, 'rims')
    return [`[archive]\nto = "${to}"\njitter_seconds = 0`, '[archive.schedule]', ...schedule, ''].join('\n')
  }

  /** Requests that were spoiled so far. */
  get spoiled(): number {
    return [...this.#proxy.happened.values()].reduce((sum, count) => sum + count, 0)
  }

  lie(random: Random): void {
    const faults: readonly Fault[] = [...FAULTS, 'lie', 'lie']
    this.#proxy.choose = () => (random.fraction() < SPOILED_SHARE ? random.pick(faults) : undefined)
  }

  beHonest(): void {
    this.#proxy.choose = () => undefined
  }

  stop(): void {
    this.#proxy.stop()
    this.#store.stop()
  }
}
