/** `macaroond/worker`: for services that verify tokens in their region. Asks the region's replicas over Noise. */
import { z } from 'zod'
import { clientFields, nodeAddress, openIdentity } from '../../shared/config/client-options.ts'
import { regionName } from '../../shared/config/node-config.ts'
import { readProfile } from '../../shared/config/profile.ts'
import { checkConfig } from '../../shared/config/read-config.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { CACHE_BYTES_MAX, CACHE_ENTRIES_MAX } from '../../shared/limits.ts'
import { CachingVerifier } from './caching-verifier.ts'
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
export type { CacheLimits, Verifier, VerifierOptions, VerifyOptions, WorkerVerdict } from './public-types.ts'

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
