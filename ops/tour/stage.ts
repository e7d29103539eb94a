/** The state that the steps of a tour share: the cluster, open connections to it, and the results of earlier steps. */
import type { MintResult, Signer } from '../../primary/signer/sdk.ts'
import { createSigner } from '../../primary/signer/sdk.ts'
import type { Access, Verifier, WorkerVerdict } from '../../replica/worker/sdk.ts'
import { assert } from '../../shared/errors.ts'
import { openVerifier } from '../clients.ts'
import type { Cluster } from '../cluster/cluster.ts'

export const ORG = 'acme'
/** The access that the tour's tokens allow; `WRITE` is the one that the attenuated token refuses. */
export const READ: Access = { org: ORG, op: 'read', path: '/photos/1.jpg' }
export const WRITE: Access = { ...READ, op: 'write' }

/** When a region first refused the revoked token. */
export interface RegionRefusal {
  /** Milliseconds since the revocation was requested. */
  readonly ms: number
  readonly acceptedBefore: number
  readonly txid: number | undefined
}

/** A cluster, and the state of the tour on it. Reading a value before the step that makes it is an assertion failure. */
export class TourCluster {
  readonly cluster: Cluster
  readonly #verifiers = new Map<string, Verifier>()
  #signer: Signer | undefined
  #minted: MintResult | undefined
  /** The minted token with caveats added by its holder. */
  attenuated: string = ''
  /** By region: its first refusal of the token after the revocation was requested. */
  readonly refusals: Map<string, Promise<RegionRefusal>> = new Map()

  constructor(cluster: Cluster) {
    this.cluster = cluster
  }

  /** Opens the connections once. The tour measures the nodes, and a new handshake for each call would be measured with them. */
  async connect(): Promise<void> {
    const { profile } = this.cluster.folder
    const { address, peer_id } = profile.primary
    const { cluster, identity } = profile
    this.#signer = await createSigner({ cluster, identity, primary: { address, peerId: peer_id } })
    for (const replica of profile.replicas) this.#verifiers.set(replica.region, await openVerifier(profile, replica))
  }

  async close(): Promise<void> {
    const verifiers = [...this.#verifiers.values()]
    await Promise.all([this.#signer?.close() ?? Promise.resolve(), ...verifiers.map((verifier) => verifier.close())])
  }

  get regions(): readonly string[] {
    return this.cluster.folder.profile.replicas.map(({ region }) => region)
  }

  get signer(): Signer {
    assert(this.#signer !== undefined, 'the cluster is up before tokens are minted')
    return this.#signer
  }

  get minted(): MintResult {
    assert(this.#minted !== undefined, 'a token is minted before it is used')
    return this.#minted
  }

  set minted(minted: MintResult) {
    this.#minted = minted
  }

  /** Verifies over the connection to that region, which stays open during the tour. */
  verify(region: string, token: string, access: Access, minPosition?: string): Promise<WorkerVerdict> {
    const verifier = this.#verifiers.get(region)
    assert(verifier !== undefined, `the tour is connected to ${region}`)
    return verifier.verify(token, access, minPosition === undefined ? {} : { minPosition })
  }
}
