/** `macaroond/worker`: for services that verify tokens in their region. Asks the region's replicas over Noise. */
import { z } from 'zod'
import {
  clientFields,
  nodeAddress,
  openIdentity,
  type ClientOptions,
  type NodeAddress,
} from '../../shared/config/client-options.ts'
import { checkConfig } from '../../shared/config/read-config.ts'
import type { ExplainResult, Judged } from '../../shared/protocol/verify.ts'
import type { Access } from '../../shared/verifier/access.ts'
import type { Verdict } from '../../shared/verifier/verdict.ts'
import { ReplicaPool } from './replica-pool.ts'

export { MacaroondError } from '../../shared/errors.ts'
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

export interface VerifierOptions extends ClientOptions {
  /** The replicas of this worker's region; the first that answers is asked. None of another region: it would be a hop. */
  readonly replicas: readonly NodeAddress[]
}

export interface VerifyOptions {
  /** Position text of a write: the answer is from that state or a later one, or `unavailable`. */
  readonly minPosition?: string
  /** PeerId of whoever presented the token, if this worker ended that connection; what a `peer = …` caveat is judged by. */
  readonly peer?: string
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** The verdict and where it comes from; what no replica could be asked about is `unavailable` and comes from nowhere. */
export type WorkerVerdict = Verdict & Partial<Judged>

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
  /** Lets calls in flight finish, then closes the connections. */
  readonly close: () => Promise<void>
}

const verifierOptions: z.ZodType<VerifierOptions> = z.strictObject({
  ...clientFields,
  replicas: z.array(nodeAddress).min(1).max(64),
})

const DEFAULT_TIMEOUT_MS = 1_000

/**
 * Checks the options, reads the identity, and starts to connect; calls wait for a connection within their time. Throws
 * config_invalid, key_unreadable, key_permissions, key_malformed.
 */
export async function createVerifier(options: VerifierOptions): Promise<Verifier> {
  const checked = checkConfig('createVerifier', options, verifierOptions)
  const { cluster, replicas, timeoutMs = DEFAULT_TIMEOUT_MS } = checked
  const pool = new ReplicaPool({ cluster, replicas, identity: await openIdentity(checked.identity), timeoutMs })
  return {
    verify: (token, access, callOptions = {}) => pool.verify(token, access, callOptions),
    explain: (token, access, callOptions = {}) => pool.explain(token, access, callOptions),
    close: () => pool.close(),
  }
}
