/** The public types of `macaroond/worker`; sdk.ts exports them and makes the verifier. */
import type { ClientOptions, NodeAddress } from '../../shared/config/client-options.ts'
import type { ExplainResult, Judged } from '../../shared/protocol/verify.ts'
import type { Access } from '../../shared/verifier/access.ts'
import type { Verdict } from '../../shared/verifier/verdict.ts'
import type { HitKind } from './cache/verified-tokens.ts'
import type { CacheStatistics, WorkerAlarm } from './worker-cache.ts'

export interface VerifierOptions extends ClientOptions {
  /** The replicas of this worker's region, in order of preference: where one fails, the next is asked. */
  readonly replicas: readonly NodeAddress[]
  /** This worker's region; default: the one that most of the replicas say, of equals the one said first. */
  readonly region?: string | undefined
  /** Also asks replicas of other regions when none of this one answers. Default false: it would be a hop. */
  readonly crossRegion?: boolean | undefined
  /**
   * Verified tokens in this process: they are answered without any network for as long as the replica's lease of
   * freshness lasts, and revocations reach them on a channel of their own. On by default; the bounds are of what is kept.
   */
  readonly cache?: boolean | CacheLimits | undefined
  /** Is called for what the operator of the replicas has to know; `statistics()` counts it. */
  readonly onAlarm?: ((alarm: WorkerAlarm) => void) | undefined
}

export interface CacheLimits {
  /** Tokens, default 100,000. */
  readonly entries?: number | undefined
  /** Memory in bytes, an estimate, default 128 MiB. */
  readonly bytes?: number | undefined
}

export interface VerifyOptions {
  /** Position text of a write: the answer is from that state or a later one, or `unavailable`. */
  readonly minPosition?: string
  /** PeerId of whoever presented the token, if this worker ended that connection; what a `peer = …` caveat is judged by. */
  readonly peer?: string
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/**
 * The verdict and where it comes from; what no replica could be asked about is `unavailable` and comes from nowhere.
 * `cached` says that no replica was asked: the token was known (`exact`), or attenuated from one that was (`prefix`).
 */
export type WorkerVerdict = Verdict & Partial<Judged> & { readonly cached?: HitKind }

export interface Verifier {
  /**
   * Judges a token for an access. A refusal is a value, never an exception; so is `unavailable`: answer 503 then, never
   * 401, because clients throw good tokens away on 401. Rejects only for calls that are wrong themselves: request_invalid,
   * position_superseded, closed.
   */
  readonly verify: (token: string, access: Access, options?: VerifyOptions) => Promise<WorkerVerdict>
  /**
   * How a replica comes to its verdict: every check, every caveat, every discharge, and the state it judges by. It tells
   * what the token says, so it is for the token's holder and for operators; answer no stranger with it. Rejects where no
   * replica answers.
   */
  readonly explain: (token: string, access: Access, options?: VerifyOptions) => Promise<ExplainResult>
  /** How the cache has fared, for metrics. Nothing in it names a token. */
  readonly statistics: () => CacheStatistics
  /** Lets calls in flight finish, then closes the connections; what was cached is dropped. */
  readonly close: () => Promise<void>
}
