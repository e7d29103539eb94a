/** The replicas and witnesses that the primary's present configuration names. */
import type { KnownPeer, PeerRegistry } from '../shared/channel/peers.ts'
import { isWitness } from './archiver/open-archiver.ts'
import type { PrimaryConfig } from './config.ts'

/** Name of the archive among the witnesses. It cannot be a PeerId. */
export const ARCHIVE_WITNESS = 'archive'

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

  /** The replicas, and an archive on another disk: each can prove that this disk is the newest, or that it is not. */
  get witnesses(): readonly string[] {
    return isWitness(this.#config.archive) ? [...this.replicaIds, ARCHIVE_WITNESS] : this.replicaIds
  }
}
