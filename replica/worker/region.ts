/**
 * Decides which replicas belong to this worker's region. Replicas of other regions are asked only with `crossRegion`.
 * A replica states its region and proves nothing, so a report counts no longer than its replica is there.
 */
import { type Clock, systemClock } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { JsonObject } from '../../shared/channel/json.ts'

export interface RegionOptions {
  /** Default: the region that most of the replicas report; on a tie, the one reported first. */
  readonly region: string | undefined
  readonly crossRegion: boolean
}

/** The report of a replica that has been away for longer than this does not count. */
const AWAY_MS_MAX = 60_000

export class HomeRegion {
  readonly #region: string | undefined
  readonly #crossRegion: boolean
  /** The region that each replica reported last, in the order of their first reports. */
  readonly #regions = new Map<string, string>()
  /** When each absent replica was last connected, monotonic milliseconds. */
  readonly #away = new Map<string, number>()
  readonly #clock: Pick<Clock, 'monotonicMs'>

  constructor({ region, crossRegion }: RegionOptions, clock: Pick<Clock, 'monotonicMs'> = systemClock) {
    this.#region = region
    this.#crossRegion = crossRegion
    this.#clock = clock
  }

  /** Records the region in a replica's welcome. Throws peer_refused for a replica of another region that must not be asked. */
  admit(peerId: string, { region }: JsonObject): void {
    if (typeof region !== 'string')
      throw new MacaroondError('protocol_violation', 'a replica did not report its region')
    this.#regions.set(peerId, region)
    this.#away.delete(peerId)
    const home = this.#home()
    if (this.#crossRegion || region === home) return
    throw new MacaroondError('peer_refused', `this replica is in ${region}, and this worker in ${home}`, {
      hint: 'give the worker its `region`, list replicas of one region only, or set crossRegion',
    })
  }

  /** Called while the replica is not connected, any number of times. Its next welcome ends its absence. */
  away(peerId: string): void {
    if (!this.#away.has(peerId)) this.#away.set(peerId, this.#clock.monotonicMs())
  }

  /** True if the replica is known to be in another region. */
  isForeign(peerId: string): boolean {
    const region = this.#regions.get(peerId)
    return region !== undefined && region !== this.#home()
  }

  /** Only the last report of each replica counts, so one that lies, or was moved, does not exclude the others permanently. */
  #home(): string | undefined {
    if (this.#region !== undefined) return this.#region
    const said = this.#present()
    const count = (region: string): number => said.filter((one) => one === region).length
    return said.toSorted((a, b) => count(b) - count(a))[0]
  }

  /** The regions of the replicas that are there, in the order of their first reports; of all of them if none is. */
  #present(): readonly string[] {
    const latestMs = this.#clock.monotonicMs() - AWAY_MS_MAX
    const present = [...this.#regions].filter(([peerId]) => (this.#away.get(peerId) ?? Infinity) > latestMs)
    return (present.length > 0 ? present : [...this.#regions]).map(([, region]) => region)
  }
}
