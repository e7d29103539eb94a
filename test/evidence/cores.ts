/** The cores: modules that decide, without a clock, chance or I/O of their own, and the formats that they read and write. */
import { globSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')

/** As the table of coverage groups them. */
export const ROOMS: Readonly<Record<string, readonly string[]>> = {
  'leases, grants and credible time': ['shared/freshness/*.ts'],
  'macaroons and their caveats': ['shared/macaroon/**/*.ts'],
  'verifying and revocation': ['shared/verifier/*.ts'],
  'the LTX format': ['shared/ltx/*.ts'],
  'the archive’s plans and manifest': [
    'shared/archive/{chain,compaction-plan,layout,manifest,manifest-state,restore-plan,retention-plan}.ts',
  ],
  'backoff, heartbeat, hello and framing': ['shared/channel/{backoff,framing,hello,json,pulse,roles}.ts'],
  'messages between nodes': ['shared/protocol/*.ts'],
  'the authority': ['primary/authority/*.ts'],
  'agreement, assessment and acknowledgement': [
    'primary/commit-log/agreement.ts',
    'primary/durability/threshold.ts',
    'primary/publisher/{acknowledgements,assess,lives}.ts',
  ],
  'the archiver’s schedule': ['primary/archiver/core.ts'],
  'the follower': ['replica/follower/core.ts'],
  'what a replica answers': [
    'replica/revocations/journal-records.ts',
    'replica/verify/{guest-gate,guest-time,standing}.ts',
  ],
  'the worker’s feed and cache': ['replica/worker/{feed-core,moment,worker-cache}.ts', 'replica/worker/cache/*.ts'],
}

export function filesOf(patterns: readonly string[]): readonly string[] {
  return patterns.flatMap((pattern) => globSync(pattern, { cwd: ROOT })).toSorted()
}

/** What is not reached, of each core that is reached to less than 95 %. */
export const REASONS: Readonly<Record<string, string>> = {}
