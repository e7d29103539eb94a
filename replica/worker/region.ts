/** Which replicas are of this worker's region: a hop to another one is only made where the caller allows it. */
import { MacaroondError } from '../../shared/errors.ts'
import type { JsonObject } from '../../shared/channel/json.ts'

export interface RegionOptions {
  /** Default: the region that most of the replicas say they are in, of equals the one that was said first. */
  readonly region: string | undefined
  readonly crossRegion: boolean
}

export class HomeRegion {
  readonly #region: string | undefined
  readonly #crossRegion: boolean
  /** The last word of each replica, in the order of their first. */
  readonly #regions = new Map<string, string>()

  constructor({ region, crossRegion }: RegionOptions) {
    this.#region = region
    this.#crossRegion = crossRegion
  }

  /** Takes note of what a replica's welcome says. Throws peer_refused for one that may not be asked. */
  admit(peerId: string, { region }: JsonObject): void {
    if (typeof region !== 'string') throw new MacaroondError('protocol_violation', 'a replica did not say its region')
    this.#regions.set(peerId, region)
    const home = this.#home()
    if (this.#crossRegion || region === home) return
    throw new MacaroondError('peer_refused', `this replica is in ${region}, and this worker in ${home}`, {
      hint: 'give the worker its `region`, list replicas of one region only, or set crossRegion',
    })
  }

  /** False while it is not known. */
  isForeign(peerId: string): boolean {
    const region = this.#regions.get(peerId)
    return region !== undefined && region !== this.#home()
  }

  /** No word counts for ever: one replica that lies, or was moved, must not shut out all others until this process ends. */
  #home(): string | undefined {
    if (this.#region !== undefined) return this.#region
    const said = [...this.#regions.values()]
    const count = (region: string): number => said.filter((one) => one === region).length
    return said.toSorted((a, b) => count(b) - count(a))[0]
  }
}
