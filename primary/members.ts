/** The nodes and places that a primary's configuration names, as it is now: its replicas, and who can tell how new its disk is. */
import type { KnownPeer, PeerRegistry } from '../shared/channel/peers.ts'
import { isWitness } from './archiver/open-archiver.ts'
import type { PrimaryConfig } from './config.ts'

/** Among the witnesses; no PeerId looks like it. */
export const ARCHIVE = 'archive'

export class Members {
  readonly #peers: PeerRegistry
  readonly #config: Pick<PrimaryConfig, 'archive'>

  constructor(peers: PeerRegistry, config: Pick<PrimaryConfig, 'archive'>) {
    this.#peers = peers
    this.#config = config
  }

  get replicas(): readonly KnownPeer[] {
    return this.#peers.all().filter(({ role }) => role === 'replica')
  }

  get replicaIds(): readonly string[] {
    return this.replicas.map(({ id }) => id)
  }

  /** Who can tell whether this disk is the newest there is. */
  get witnesses(): readonly string[] {
    return isWitness(this.#config.archive) ? [...this.replicaIds, ARCHIVE] : this.replicaIds
  }
}
