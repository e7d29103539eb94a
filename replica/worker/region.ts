/** Decides which replicas belong to this worker's region. Replicas of other regions are asked only with `crossRegion`. */
import { MacaroondError } from '../../shared/errors.ts'
import type { JsonObject } from '../../shared/channel/json.ts'

export interface RegionOptions {
  /** Default: the region that most of the replicas report; on a tie, the one reported first. */
  readonly region: string | undefined
  readonly crossRegion: boolean
}

export class HomeRegion {
  readonly #region: string | undefined
  readonly #crossRegion: boolean
  /** The region that each replica reported last, in the order of their first reports. */
  readonly #regions = new Map<string, string>()

  constructor({ region, crossRegion }: RegionOptions) {
    this.#region = region
    this.#crossRegion = crossRegion
  }

  /** Records the region in a replica's welcome. Throws peer_refused for a replica of another region that must not be asked. */
  admit(peerId: string, { region }: JsonObject): void {
    if (typeof region !== 'string')
      throw new MacaroondError('protocol_violation', 'a replica did not report its region')
    this.#regions.set(peerId, region)
    const home = this.#home()
    if (this.#crossRegion || region === home) return
    throw new MacaroondError('peer_refused', `this replica is in ${region}, and this worker in ${home}`, {
      hint: 'give the worker its `region`, list replicas of one region only, or set crossRegion',
    })
  }

  /** True if the replica is known to be in another region. */
  isForeign(peerId: string): boolean {
    const region = this.#regions.get(peerId)
    return region !== undefined && region !== this.#home()
  }

  /** Only the last report of each replica counts, so one that lies, or was moved, does not exclude the others permanently. */
  #home(): string | undefined {
    if (this.#region !== undefined) return this.#region
    const said = [...this.#regions.values()]
    const count = (region: string): number => said.filter((one) => one === region).length
    return said.toSorted((a, b) => count(b) - count(a))[0]
  }
}
