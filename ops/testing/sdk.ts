/**
 * `macaroond/testing`: an authority in this process for the tests of a service, without sockets, files or timers. It is made of
 * the parts of the real nodes, so its verdicts are theirs. Time stands still until it is moved.
 */
import '../../shared/supported-node.ts'
import { z } from 'zod'
import { systemClock } from '../../shared/clock.ts'
import { regionName } from '../../shared/config/node-config.ts'
import { checkConfig } from '../../shared/config/read-config.ts'
import { orgName } from '../../shared/id-schemas.ts'
import { CACHE_BYTES_MAX, CACHE_ENTRIES_MAX } from '../../shared/limits.ts'
import { InProcessAuthority } from './in-process-authority.ts'
import type { TestAuthority, TestAuthorityOptions } from './public-types.ts'

export { MacaroondError } from '../../shared/errors.ts'
export type { Signer } from '../../primary/signer/sdk.ts'
export type { Verifier, WorkerVerdict } from '../../replica/worker/sdk.ts'
export type { TestAuthority, TestAuthorityOptions, TestClock } from './public-types.ts'

const cacheLimits = z.strictObject({
  entries: z.number().int().min(1).max(CACHE_ENTRIES_MAX).optional(),
  bytes: z.number().int().min(1).max(CACHE_BYTES_MAX).optional(),
})

/** 1970 to 2200: the times that tokens and nonces can express, with room for `advance`. */
const START_MS_MAX = 7_258_118_400_000

const testAuthorityOptions: z.ZodType<TestAuthorityOptions> = z.strictObject({
  orgs: z.array(orgName).max(1000).optional(),
  region: regionName.optional(),
  startMs: z.number().int().min(1).max(START_MS_MAX).optional(),
  cache: z.union([z.boolean(), cacheLimits]).optional(),
})

/** Creates the authority and its orgs. Throws config_invalid for an unknown or a wrong option. */
export async function createTestAuthority(options: TestAuthorityOptions = {}): Promise<TestAuthority> {
  const checked = checkConfig('createTestAuthority', options, testAuthorityOptions)
  const { orgs = [], region = 'test', startMs = systemClock.wallMs(), cache = true } = checked
  const authority = await InProcessAuthority.start({ region, startMs, cache })
  for (const org of orgs) await authority.signer.createOrg(org)
  return authority
}
