/** Every promise, and what fails when it is broken. `page.test.ts` sees to it that each file, and each test in it, is there. */
import type { Rule } from '../history/check.ts'

export interface Proof {
  /** From the root of the repository. */
  readonly file: string
  /** A part of the test's name; without one the whole file is meant. */
  readonly test?: string
}

export interface Promised {
  readonly name: string
  readonly says: string
  /** The rule of the checker by which the simulator and the runs of real processes judge it. */
  readonly rule?: Rule | 'last look'
  readonly proofs: readonly Proof[]
  /** Why nothing tests it: it is not promised yet. */
  readonly notYet?: string
}

const PARTITION: Proof = { file: 'test/chaos/partition/partition.test.ts' }
const proof = (file: string, test?: string): Proof => ({
  file: `test/${file}.test.ts`,
  ...(test === undefined ? {} : { test }),
})

export const PROMISES: readonly Promised[] = [
  {
    name: 'S1',
    says: 'a revocation acknowledged at T binds everywhere, for the token and all that was made of it, by T + B',
    rule: 'S1',
    proofs: [
      PARTITION,
      proof('shared/freshness/bound', 'a revocation binds everywhere within 5.1 seconds'),
      proof('shared/verifier/cut-offs', 'a token is refused exactly when a revocation names it'),
      proof('primary/authority/exchange', 'revoking any ancestor revokes the service tokens made from it'),
      proof('replica/worker/worker-cache', 'takes the token and its descendants away'),
    ],
  },
  {
    name: 'S2',
    says: '`--wait global` returns once every lease is covered, and nothing accepts after it',
    rule: 'S2',
    proofs: [
      PARTITION,
      proof('integration/cluster/lease', 'a global revocation waits for the lease of a cut-off region'),
      proof('integration/cluster/lease', 'waits for leases that the last process may have left'),
      proof('shared/freshness/grants', 'no holder counts as covered while it may still judge without the revocation'),
      proof('primary/api/global-wait', 'every awaited replica is named'),
    ],
  },
  {
    name: 'S3',
    says: 'who once refused a token as revoked never accepts it again',
    rule: 'S3',
    proofs: [
      PARTITION,
      proof('chaos/sigkill'),
      proof('replica/revocations/journal', 'a crash at any byte leaves a prefix'),
      proof('replica/sweep', 'a clock that jumps ahead by years sweeps nothing, here or at the next start'),
      proof('replica/worker/minimum', 'a true minimum is not taken back'),
      proof('integration/worker/lying-replica'),
      proof('recovery/archive/coming-back', 'with no revoked token'),
      proof('recovery/archive/undone', 'stays refused in every region, over two restarts'),
      proof('recovery/sqlite/undone-history'),
      proof('integration/cluster/denials'),
      proof('replica/denials/denials', 'nothing is taken for an end'),
      proof('replica/denials/keeper', 'take no refusal with them when their history is undone'),
      proof('replica/denials/keeper', 'it stays until an operator takes the damaged folder away'),
      proof('replica/freshness/deletion', 'moves the latest believed time, and deletes nothing'),
      proof('primary/adoption', 'one replica can revoke at most a thousand tokens'),
    ],
  },
  {
    name: 'S4',
    says: 'a lease runs from the sending of its own request; past it every verdict is `unavailable`',
    rule: 'S4',
    proofs: [
      PARTITION,
      proof('shared/freshness/holder', 'a lease runs from the moment its ping was sent'),
      proof('replica/verify/verify-api', 'takes the verdict back'),
      proof('integration/cluster/lease', 'until its lease ends, and is fresh again after the cut'),
      proof('integration/cluster/min-position', 'is unavailable there, never unknown'),
    ],
  },
  {
    name: 'S5',
    says: 'a verification with a minimum position never answers from an older state',
    rule: 'S5',
    proofs: [
      proof('integration/cluster/min-position', 'waits for the position of a write'),
      proof('replica/verify/position-waiters', 'is answered when the position is reached'),
    ],
  },
  {
    name: 'S6',
    says: 'accepted means minted here for that org, inside its expiry, every caveat cleared, every discharge bound',
    rule: 'S6',
    proofs: [
      PARTITION,
      proof('shared/verifier/verifier'),
      proof('shared/verifier/bundle'),
      proof('shared/verifier/attenuation'),
      proof('shared/macaroon/predicate/path', 'is refused: it may mean another place to somebody'),
      proof('interop/paths', 'none that a prefix clears leaves it, whoever decodes it'),
      proof('primary/authority/nothing-is-widened'),
    ],
  },
  {
    name: 'S7',
    says: 'an acknowledged revocation is durable as configured, and a higher epoch fences',
    rule: 'S7',
    proofs: [
      proof('chaos/sigkill'),
      proof('chaos/failing-disk'),
      proof('primary/durability/durability'),
      proof('integration/cluster/durability'),
      proof('replica/revocations/stream', 'acknowledged only once the disk has it'),
      proof('integration/cluster/old-disk', 'refuse an old primary'),
      proof('primary/archiver/chain/fence'),
      proof('primary/archiver/chain/claims'),
      proof('primary/archiver/chain/late-entry'),
      proof('primary/archiver/files/outgoing'),
      proof('primary/archiver/chain/chain-end'),
      proof('recovery/archive/sleeping-primary'),
      proof('ops/restore/new-epoch'),
      proof('integration/cluster/lock-owner'),
      proof('upgrade/upgrade', 'no wrong verdict, no lost write'),
    ],
  },
  {
    name: 'S8',
    says: 'no byte enters a restored database that was not compared; a restore keeps every revocation that can still be found, and asks about the others',
    proofs: [
      proof('recovery/archive/damage', 'every kind of damage to a source of a restore is refused'),
      proof('recovery/archive/damage', 'what is damaged in a copy hides nothing else of it'),
      proof('replica/revocations/lost-journal'),
      proof('recovery/repair/repair'),
      proof('ops/restore/comparison'),
      proof('ops/restore/witness', 'by every replica configured'),
      proof('ops/restore/lying-replica'),
      proof('integration/cluster/configuration'),
      proof('recovery/archive/restore', 'keeps what was revoked later'),
      proof('recovery/archive/restore', 'keeps what only the old disk knew'),
      proof('recovery/archive/coming-back'),
      proof('recovery/archive/undone', 'are shown, refuse nothing, and await an operator'),
      proof('recovery/archive/migration', 'restored to before the migration'),
      proof('recovery/runbook/runbook'),
      proof('shared/archive/salvage'),
      proof('primary/archiver/chain/lost-claims'),
      proof('primary/archiver/worker', 'covers no loss that came after the report'),
      proof('recovery/archive/repair', 'says first what is wrong'),
    ],
  },
  {
    name: 'S9',
    says: 'every operation has one audit record, chained, durable before the answer',
    proofs: [
      proof('primary/authority/audit', 'every command that is done leaves exactly one record'),
      proof('primary/authority/audit', 'a record that was dropped, doubled, put in'),
      proof('integration/cluster/audit', 'a changed audit record raises an alarm'),
      proof('shared/service/audit-watch', 'a chain that was recomputed from some record on is found'),
      proof('chaos/sigkill'),
      proof('integration/cluster/disk-full'),
    ],
  },
  {
    name: 'S10',
    says: 'forged, replayed, reordered and torn frames change nothing; a node that is ahead or forked refuses and alarms',
    proofs: [
      proof('replica/follower/core', 'no sequence of events applies anything but our epoch’s next transaction'),
      proof('shared/ltx/segment'),
      proof('integration/cluster/divergence'),
      proof('integration/cluster/hostile'),
      proof('chaos/rollback'),
      proof('recovery/archive/history', 'are each found and named, never restored'),
    ],
  },
  {
    name: 'S11',
    says: 'a stolen disk is useless without the key-encryption key',
    proofs: [
      proof('shared/sealing'),
      proof('primary/authority/step', 'nothing that is written holds an unsealed key or a token'),
      proof('integration/cluster/divergence', 'another KEK has its own error code'),
      proof('primary/authority/kek', 'seals with it only after its rotation'),
      proof('primary/api/kek-api', 'before a rotation runs has only the new key'),
      proof('primary/api/kek-api', 'came back without the new key while it waited'),
      proof('integration/cli/kek', 'seals nothing with a new key-encryption key that a replica cannot open'),
    ],
  },
  {
    name: 'S12',
    says: 'a token that was not revoked is never refused as revoked',
    rule: 'S12',
    proofs: [
      PARTITION,
      proof('shared/verifier/revocation-table', 'refuses none that was not added'),
      proof('primary/authority/revoke', 'a token is refused exactly when a cut-off came after it'),
    ],
  },
  {
    name: 'S13',
    says: 'a clock set back revives no expired token, a clock set ahead is not believed',
    proofs: [
      PARTITION,
      proof('shared/freshness/credible-time'),
      proof('primary/authority/purge'),
      proof('primary/authority/step', 'a clock that goes back never makes a token look older'),
    ],
  },
  {
    name: 'V1',
    says: 'inside its lease a region that is cut off answers every valid token, and asks nobody',
    proofs: [
      PARTITION,
      proof('chaos/partition/quiet-link', 'nothing extra crosses the link to the primary'),
      proof('integration/cluster/lease', 'answers until its lease ends'),
    ],
  },
  {
    name: 'V2',
    says: 'after a cut heals, a region is fresh again within 2 s or the size of a snapshot',
    rule: 'last look',
    proofs: [
      proof('integration/cluster/reconnect'),
      proof('shared/channel/backoff'),
      proof('integration/cluster/lease'),
    ],
  },
  {
    name: 'V3',
    says: 'when the primary dies a successor takes writes',
    proofs: [],
    notYet: 'there is no automatic failover; a lost primary is restored by hand (S8), and regions answer for one lease',
  },
  {
    name: 'V4',
    says: 'one slow replica delays no other, and a global revocation by at most B',
    proofs: [
      proof('shared/freshness/grants', 'keeps nobody waiting longer than a lease'),
      proof('integration/cluster/old-disk', 'a replica that stops reading its snapshot'),
      proof('replica/feed/feed', 'that does not read is cut off, and costs no other worker anything'),
    ],
  },
  {
    name: 'V5',
    says: 'overload is answered and told when to come again; revocations go first; known workers keep their share',
    proofs: [
      proof('primary/commit-log/fair-queue'),
      proof('replica/verify/guest-gate'),
      proof('integration/cluster/guests', 'a listed worker never'),
      proof('shared/channel/storm'),
    ],
  },
  {
    name: 'V6',
    says: 'a hostile token or access costs bounded work',
    proofs: [
      proof('shared/verifier/bundle-work'),
      proof('shared/verifier/access-work'),
      proof('shared/macaroon/predicate/path-folding'),
      proof('shared/verifier/fuzz'),
      proof('fuzz/fuzz'),
    ],
  },
  {
    name: 'V7',
    says: 'a record that names one token denies it; one that is not understood is not acknowledged and makes the node unavailable',
    proofs: [
      proof('replica/revocations/stream', 'a malformed record that names one token denies it'),
      proof('replica/revocations/stream', 'is not acknowledged, ends no connection'),
      proof('replica/worker/worker-cache', 'of a kind that is not understood ends the cache'),
      proof('upgrade/upgrade', 'an old replica never guesses'),
      proof('integration/cluster/divergence', 'unless its name says that it is required'),
    ],
  },
  {
    name: 'V8',
    says: 'whoever grants leases takes revocations: a doubted clock and a full disk leave revoking, and where even that cannot be done, leases end',
    rule: 'V8',
    proofs: [
      proof('primary/authority/doubt'),
      proof('primary/freshness/obstacle'),
      proof('primary/obstacles'),
      proof('primary/commit-log/stamp'),
      proof('primary/commit-log/without-room'),
      proof('integration/cluster/doubt', 'a primary with its clock an hour ahead revokes'),
      proof('integration/cluster/doubt', 'a cut-off that is due outlives a restart'),
      proof('ops/restore/new-epoch', 'a cut-off that a state owes'),
      proof('integration/cluster/disk-reserve', 'revocations go on while the disk is full'),
      proof('recovery/archive/lanes', 'uploads go on while the primary’s disk is full'),
      proof('integration/cluster/doubt', 'a foreign write lock'),
      proof('integration/cluster/hostile', 'a replica that reports a revocation no table takes'),
      proof('integration/cluster/divergence', 'records the proof against it before it stops'),
    ],
  },
  {
    name: 'V9',
    says: 'a log that is full or that nobody reads, standard output and metrics stop no node: lines are dropped and counted',
    proofs: [
      proof('integration/output/output'),
      proof('integration/output/node', 'with a log that nobody reads a primary mints'),
      proof('shared/metrics/metrics-server', 'readers that stall'),
    ],
  },
]
