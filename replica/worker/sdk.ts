/**
 * `macaroond/worker`, the SDK for services that verify tokens. A verifier answers from a cache in this process, or asks the
 * replicas of its region over Noise. It never asks the primary.
 */
import '../../shared/supported-node.ts'
import { z } from 'zod'
import { clientFields, nodeAddress, openIdentity } from '../../shared/config/client-options.ts'
import { regionName } from '../../shared/config/node-config.ts'
import { readProfile } from '../../shared/config/profile.ts'
import { checkConfig } from '../../shared/config/read-config.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { CACHE_BYTES_MAX, CACHE_ENTRIES_MAX } from '../../shared/limits.ts'
import { CachingVerifier } from './caching-verifier.ts'
import { networkLinks } from './links.ts'
import type { Verifier, VerifierOptions } from './public-types.ts'

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
export type { RevokedEvent, VerifierEventName, VerifierEvents } from './events.ts'
export type {
  CacheLimits,
  ReadyOptions,
  ReplicaHealth,
  Verifier,
  VerifierHealth,
  VerifierOptions,
  VerifyOptions,
  WorkerVerdict,
} from './public-types.ts'
export type { ReplicaProblem } from './replica-problem.ts'
export type { ServiceLogger } from '../../shared/service-logger.ts'

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
  onAlarm: z
    .custom<VerifierOptions['onAlarm']>((value) => typeof value === 'function', 'must be a function')
    .optional(),
})

/**
 * Reads options from a worker's profile, a file that `macaroond init` and `macaroond dev` write. With `region`, only the
 * replicas of that region are used; without it, all of the profile in their order. Throws config_invalid, config_unreadable.
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
 * Checks the options, reads the identity, and begins to connect. It does not wait for a connection; calls do, within their
 * timeout, and `ready` does. Throws config_invalid, key_unreadable, key_permissions, key_malformed.
 */
export async function createVerifier(options: VerifierOptions): Promise<Verifier> {
  const checked = checkConfig('createVerifier', options, verifierOptions)
  return new CachingVerifier(checked, networkLinks(await openIdentity(checked.identity)))
}
