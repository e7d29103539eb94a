/** The public types of `macaroond/worker`. `sdk.ts` exports them and creates the verifier. */
import type { ClientOptions, NodeAddress } from '../../shared/config/client-options.ts'
import type { ExplainResult, Judged } from '../../shared/protocol/verify.ts'
import type { Access } from '../../shared/verifier/access.ts'
import type { Verdict } from '../../shared/verifier/verdict.ts'
import type { HitKind } from './cache/verified-tokens.ts'
import type { VerifierEventName, VerifierEvents } from './events.ts'
import type { ReplicaProblem } from './replica-problem.ts'
import type { CacheStatistics, WorkerAlarm } from './worker-cache.ts'

export interface VerifierOptions extends ClientOptions {
  /** The replicas of this worker's region, in order of preference. If one fails, the next is asked. */
  readonly replicas: readonly NodeAddress[]
  /**
   * This worker's region. Default: the region that most of the replicas report; on a tie, the one reported first. A replica
   * that is away for over a minute does not count.
   */
  readonly region?: string | undefined
  /** True to also ask replicas of other regions if none of this region answers. Default false, because of the latency. */
  readonly crossRegion?: boolean | undefined
  /**
   * The cache of verified tokens in this process. A cached token is answered without any network while the worker holds a lease
   * of freshness from a replica, and a separate channel delivers revocations to the cache. Default true; pass limits to
   * bound it, or false to ask a replica every time.
   */
  readonly cache?: boolean | CacheLimits | undefined
  /** Called with conditions that the operator of the replicas must know. */
  readonly onAlarm?: ((alarm: WorkerAlarm) => void) | undefined
}

export interface CacheLimits {
  /** Number of tokens. Default 100,000. */
  readonly entries?: number | undefined
  /** Estimated memory in bytes. Default 128 MiB. */
  readonly bytes?: number | undefined
}

export interface VerifyOptions {
  /** Position text of a write. The verdict is from that state or a later one, or it is `unavailable`. */
  readonly minPosition?: string
  /** Authenticated PeerId of the presenter, if this worker terminated its connection. A `peer = …` caveat is judged by it. */
  readonly peer?: string
  /** Milliseconds. Default: `timeoutMs` of the verifier, 1 s. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export interface ReadyOptions {
  /** Milliseconds, at most 10 minutes. Default 10 s. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** The state of a verifier, for probes and dashboards. It can be written as JSON, and names no token. */
export interface VerifierHealth {
  /** True if tokens can be verified now: the lease of the cache runs, or a replica is connected and can judge. */
  readonly serving: boolean
  /** Unix milliseconds since when `serving` has this value. */
  readonly sinceMs: number
  /** Milliseconds left of the lease, during which cached tokens need no replica; 0 without one, as with `cache: false`. */
  readonly leaseRemainingMs: number
  /** The replica that the next call asks first; null if none is connected. */
  readonly replica: NodeAddress | null
  /** One entry for each of `replicas`, in that order. */
  readonly replicas: readonly ReplicaHealth[]
}

export interface ReplicaHealth extends NodeAddress {
  readonly connected: boolean
  /** True if the replica could judge tokens when it was last asked, at most 4 s ago. */
  readonly serving: boolean
  /** Null if there is none, or nothing is known yet. */
  readonly problem: ReplicaProblem | null
}

/**
 * The verdict, with the state and the replica it is based on; these are absent if no replica answered. `cached` is present if
 * no replica was asked: the token itself was in the cache (`exact`), or one that it was attenuated from (`prefix`). `cause` is
 * present with `unavailable` if an option of the verifier is wrong, or no replica can be reached.
 */
export type WorkerVerdict = Verdict & Partial<Judged> & { readonly cached?: HitKind; readonly cause?: ReplicaProblem }

export interface Verifier extends AsyncDisposable {
  /**
   * Judges a token, or a bundle, for an access. A refusal is a value, never an exception, and so is `unavailable`: answer it
   * with 503, never 401, because clients throw good tokens away on 401 (see `httpAnswer`). Rejects only for a wrong call:
   * request_invalid, position_superseded, closed.
   */
  readonly verify: (token: string, access: Access, options?: VerifyOptions) => Promise<WorkerVerdict>
  /**
   * Explains the verdict of a replica: every check, every caveat, every discharge, and the state it is based on. The
   * explanation shows the content of the token, so give it only to the token's holder and to operators. Rejects if no replica
   * answers.
   */
  readonly explain: (token: string, access: Access, options?: VerifyOptions) => Promise<ExplainResult>
  /**
   * Resolves when one replica can judge tokens. Rejects with timeout, whose `cause` is the first problem. Rejects at once if no
   * wait can help, because every replica refuses this verifier: peer_mismatch, handshake_failed (another cluster) or
   * peer_refused (unknown, or a role that may not); the message names the address and the option. It waits on if a handshake
   * broke off, because a restart does that too. Also rejects with closed.
   */
  readonly ready: (options?: ReadyOptions) => Promise<void>
  /** The present state. It is computed from what is known, without I/O, so that a probe can call it often. */
  readonly health: () => VerifierHealth
  /**
   * Calls the listener at each event, after the work that caused it. Returns the function that removes the listener. An error
   * of a listener is logged, and has no other effect. Throws request_invalid for an unknown event.
   */
  readonly on: <Name extends VerifierEventName>(
    name: Name,
    listener: (event: VerifierEvents[Name]) => unknown,
  ) => () => void
  /** Statistics of the cache, for metrics. They name no token. */
  readonly statistics: () => CacheStatistics
  /** Lets calls in flight finish, closes the connections, and empties the cache. `await using` does the same. */
  readonly close: () => Promise<void>
}
