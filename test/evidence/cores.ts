/** The cores: modules that decide, without a clock, chance or I/O of their own, and the formats that they read and write. */
import { globSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')

/** As the table of coverage groups them. */
export const ROOMS: Readonly<Record<string, readonly string[]>> = {
  'leases, grants and credible time': ['shared/freshness/*.ts'],
  'macaroons and their caveats': ['shared/macaroon/**/*.ts', 'shared/holder/*.ts'],
  'verifying and revocation': ['shared/verifier/*.ts'],
  'the LTX format': ['shared/ltx/*.ts'],
  'the archive’s plans and manifest': [
    'shared/archive/{chain,layout,manifest,manifest-state,restore-plan}.ts',
    'primary/archiver/files/{compaction-plan,retention-plan}.ts',
  ],
  'backoff, heartbeat, hello and framing': ['shared/channel/{backoff,framing,hello,json,pulse,roles}.ts'],
  'messages between nodes': ['shared/protocol/*.ts'],
  'the authority': ['primary/authority/*.ts'],
  'agreement, assessment and acknowledgement': [
    'primary/commit-log/agreement.ts',
    'primary/durability/threshold.ts',
    'primary/publisher/{acknowledgements,assess,replica-boots}.ts',
  ],
  'the archiver’s schedule': ['primary/archiver/{alerts,core,lanes,state}.ts'],
  'the follower': ['replica/follower/core.ts'],
  'what a replica answers': ['replica/revocations/journal-records.ts', 'replica/verify/{guest-gate,judging-permit}.ts'],
  'the worker’s feed and cache': [
    'replica/worker/{feed-core,frozen-context,worker-cache}.ts',
    'replica/worker/cache/*.ts',
  ],
}

export function filesOf(patterns: readonly string[]): readonly string[] {
  return patterns.flatMap((pattern) => globSync(pattern, { cwd: ROOT })).toSorted()
}

/** What is not reached, of each core that is reached to less than 95 %. */
export const REASONS: Readonly<Record<string, string>> = {
  'shared/freshness/grants.ts':
    'joining the leases of a holder that has very many apart from one another; and what the types ask for where a list may be empty',
  'shared/macaroon/bytes.ts': 'one branch: what the types ask for where an array may be short',
  'shared/macaroon/identifier.ts': 'two branches: what the types ask for where an array may be short',
  'shared/macaroon/nonce.ts': 'one branch: what the types ask for where an array may be short',
  'shared/verifier/revocations.ts': 'one branch: taking back a token that is there no more',
  'shared/verifier/with-key.ts':
    'explaining without a node: run by the tests of the command line, which are not counted here',
  'shared/ltx/merge.ts':
    'merging: run by the archive’s suite (test/recovery/archive), byte for byte, and by litestream (test/interop), which are not counted here',
  'shared/archive/layout.ts': 'reading names of files back: run by the archive’s suite, which is not counted here',
  'shared/archive/manifest.ts':
    'entries of another form, and files without a checksum: the archive’s suite, which is not counted here',
  'shared/archive/manifest-state.ts':
    'entries of another cluster, and of a second timeline in one epoch: the archive’s suite, which is not counted here',
  'shared/archive/restore-plan.ts': 'the window of a whole archive: the archive’s suite, which is not counted here',
  'shared/channel/backoff.ts': 'one branch: the end of a connection that never was',
  'shared/channel/hello.ts':
    'hellos that are none: met by tests of sockets (test/shared/channel), which are not counted here; the simulator begins above them',
  'shared/protocol/message.ts': 'one branch: a message that is wrong and has no issue; what the types ask for',
  'shared/protocol/params.ts': 'one branch: parameters that are wrong and have no issue; what the types ask for',
  'shared/protocol/sign.ts':
    'the limit on the bytes of presented tokens: run by test/integration, which is not counted here',
  'shared/protocol/whoami.ts': 'reading the answer: run by the tests of the command line, which are not counted here',
  'primary/authority/discharge.ts': 'an error of another code while a ticket is opened, which is passed on',
  'primary/authority/kek.ts':
    'rotating the key-encryption key: test/integration/cli/kek.test.ts, which is not counted here',
  'primary/authority/presented.ts':
    'a presented token of a key that is not known: test/integration/cluster/presented.test.ts, which is not counted here',
  'primary/authority/state.ts': 'one branch: a key without an org, which the schema does not allow',
  'primary/publisher/replica-boots.ts':
    'the text of one refusal: test/integration/cluster/hostile.test.ts, which is not counted here',
  'replica/verify/judging-permit.ts':
    'access without a peer, and an age that is not known: run with sockets, which are not counted here',
  'replica/worker/cache/cached-token.ts': 'two branches of tokens whose discharges do not fit what was kept',
  'replica/worker/worker-cache.ts':
    'closing a cache, and a lease that ends over and over while one verdict is computed',
  'shared/verifier/revocation-table.ts':
    'branches that the types ask for where a slot of an array may be missing; and a table that moved its slots between two turns of a walk, which the benches of denials and of purges meet',
  'shared/protocol/denials.ts':
    'columns of another type than this version writes: test/recovery/archive/damage and test/ops/restore, which are not counted here',
  'shared/protocol/known-revocations.ts': 'one branch: a column that is null, from another version',
  'shared/protocol/verify-answer.ts':
    'the schema of one trace, which is read by the worker when it explains: run with sockets, which are not counted here',
  'primary/authority/append.ts': 'one branch: what the types ask for where a revocation that covers has no number',
  'primary/authority/due-cut-offs.ts': 'one branch: an owed cut-off that is gone when its turn comes',
  'primary/authority/freshness.ts':
    'a repaired archive, written down and seen: test/recovery/archive/repair.test.ts, which is not counted here',
  'primary/authority/org.ts':
    'the message for an org with several older keys: run by test/integration/cli, which is not counted here',
  'replica/revocations/journal-records.ts': 'two branches: what the types ask for at the end of a damaged journal',
  'replica/worker/feed-core.ts': 'branches that the types ask for before the first answer of a replica',
}
