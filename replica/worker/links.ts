/** The connections of a verifier to its replicas. The network is one implementation; `macaroond/testing` has another. */
import type { Identity } from '../../shared/channel/identity.ts'
import { PersistentClient, type PersistentClientOptions } from '../../shared/channel/persistent-client.ts'
import { FeedClient, type FeedClientOptions } from './feed-client.ts'

/** A client of the `verify` channel of one replica. */
export type ReplicaClient = Pick<PersistentClient, 'connected' | 'error' | 'call' | 'close'>

/** The feed of the cache. It passes every event to the cache that it is opened with. */
export type VerifierFeed = Pick<FeedClient, 'connected' | 'error' | 'refusalOf' | 'close'>

export type ReplicaClientOptions = Omit<PersistentClientOptions, 'identity'>

export type VerifierFeedOptions = Omit<FeedClientOptions, 'identity'>

export interface VerifierLinks {
  readonly openClient: (options: ReplicaClientOptions) => ReplicaClient
  readonly openFeed: (options: VerifierFeedOptions) => VerifierFeed
}

export function networkLinks(identity: Identity): VerifierLinks {
  return {
    openClient: (options) => new PersistentClient({ ...options, identity }),
    openFeed: (options) => new FeedClient({ ...options, identity }),
  }
}
