/** Which replicas are of this worker's region: a hop to another one is only made where the caller allows it. */
import { MacaroondError } from '../../shared/errors.ts'
import type { JsonObject } from '../../shared/channel/json.ts'

export interface RegionOptions {
  /** Default: the region of the first replica that answers. */
  readonly region: string | undefined
  readonly crossRegion: boolean
}

export class HomeRegion {
  readonly #crossRegion: boolean
  readonly #regions = new Map<string, string>()
  #home: string | undefined

  constructor({ region, crossRegion }: RegionOptions) {
    this.#home = region
    this.#crossRegion = crossRegion
  }

  /** Takes note of what a replica's welcome says. Throws peer_refused for one that may not be asked. */
  admit(peerId: string, { region }: JsonObject): void {
    if (typeof region !== 'string') throw new MacaroondError('protocol_violation', 'a replica did not say its region')
    this.#home ??= region
    this.#regions.set(peerId, region)
    if (this.#crossRegion || region === this.#home) return
    throw new MacaroondError('peer_refused', `this replica is in ${region}, and this worker in ${this.#home}`, {
      hint: 'list replicas of one region only, or set crossRegion',
    })
  }

  /** False while it is not known. */
  isForeign(peerId: string): boolean {
    const region = this.#regions.get(peerId)
    return region !== undefined && region !== this.#home
  }
}
