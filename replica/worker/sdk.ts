/** `macaroond/worker`: for services that verify tokens in their region. Asks the region's replicas over Noise. */
import { z } from 'zod'
import {
  clientFields,
  nodeAddress,
  openIdentity,
  type ClientOptions,
  type NodeAddress,
} from '../../shared/config/client-options.ts'
import { regionName } from '../../shared/config/node-config.ts'
import { readProfile } from '../../shared/config/profile.ts'
import { checkConfig } from '../../shared/config/read-config.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { CACHE_BYTES_MAX, CACHE_ENTRIES_MAX } from '../../shared/limits.ts'
import type { ExplainResult, Judged } from '../../shared/protocol/verify.ts'
import type { Access } from '../../shared/verifier/access.ts'
import type { Verdict } from '../../shared/verifier/verdict.ts'
import type { HitKind } from './cache/verified-tokens.ts'
import { CachingVerifier } from './caching-verifier.ts'
import type { CacheStatistics, WorkerAlarm } from './worker-cache.ts'

export { MacaroondError } from '../../shared/errors.ts'
export { bearerToken, httpAnswer, type HttpAnswer, type HttpAnswerOptions } from './http-answer.ts'
export type { ErrorCode, ErrorKind } from '../../shared/errors.ts'
export type { NodeAddress } from '../../shared/config/client-options.ts'
export type { Access } from '../../shared/verifier/access.ts'
export type { Accepted, RefusalReason, Refused, Verdict } from '../../shared/verifier/verdict.ts'
export type { ExplainResult, Judged } from '../../shared/protocol/verify.ts'
export type {
  CaveatTrace,
  CheckName,
  CheckTrace,
  DischargeTrace,
  Explanation,
  TokenTrace,
} from '../../shared/verifier/trace.ts'
export type { HitKind } from './cache/verified-tokens.ts'
export type { CacheStatistics, WorkerAlarm } from './worker-cache.ts'

export interface VerifierOptions extends ClientOptions {
  /** The replicas of this worker's region, in order of preference: where one fails, the next is asked. */
  readonly replicas: readonly NodeAddress[]
  /** This worker's region; default: that of the first replica that answers. */
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

const cacheLimits = z.strictObject({
  entries: z.number().int().min(1).max(CACHE_ENTRIES_MAX).optional(),
  bytes: z.number().int().min(1).max(CACHE_BYTES_MAX).optional(),
})

const verifierOptions: z.ZodType<VerifierOptions> = z.strictObject({
  ...clientFields,
  replicas: z.array(nodeAddress).min(1).max(64),
  region: regionName.optional(),
  crossRegion: z.boolean().optional(),
  cache: z.union([z.boolean(), cacheLimits]).optional(),
  onAlarm: z.custom<VerifierOptions['onAlarm']>((value) => typeof value === 'function', 'a function').optional(),
})

/**
 * Options from a profile, as `macaroond init` and `macaroond dev` write one for a worker. `region` picks the replicas of one
 * region; without it all of the profile's are taken, the first first. Throws config_invalid, config_unreadable.
 */
export async function readWorkerProfile(file: string, region?: string): Promise<VerifierOptions> {
  const { cluster, identity, replicas } = readProfile(file)
  const wanted = replicas.filter((replica) => region === undefined || replica.region === region)
  if (wanted.length === 0) {
    throw new MacaroondError(
      'config_invalid',
      `${file} names no replica${region === undefined ? '' : ` in ${region}`}`,
      {
        hint: `its regions: ${[...new Set(replicas.map((replica) => replica.region))].join(', ') || 'none'}`,
      },
    )
  }
  const addresses = wanted.map(({ address, peer_id: peerId }) => ({ address, peerId }))
  return { cluster, identity, replicas: addresses, ...(region === undefined ? {} : { region }) }
}

/**
 * Checks the options, reads the identity, and starts to connect; calls wait for a connection within their time. Throws
 * config_invalid, key_unreadable, key_permissions, key_malformed.
 */
export async function createVerifier(options: VerifierOptions): Promise<Verifier> {
  const checked = checkConfig('createVerifier', options, verifierOptions)
  return new CachingVerifier(checked, await openIdentity(checked.identity))
}
