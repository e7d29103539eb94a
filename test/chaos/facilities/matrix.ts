/**
 * Every fault that the product has to live through, what puts it in, what is expected, and the tests that do it. The rows are
 * those of a matrix that Jepsen, etcd, TigerBeetle and litestream would know; `matrix.test.ts` holds it to the tests of today.
 */
import type { FacilityName } from './facilities.ts'

/** A test, by its file and a part of its name; without one the whole file. */
export interface FaultTest {
  readonly file: string
  readonly test?: string
}

export interface Row {
  readonly fault: string
  /** Promises, and what else is to be seen. */
  readonly expect: string
  /** Without all of these the row is not run, and named. */
  readonly needs: readonly FacilityName[]
  readonly by: readonly FaultTest[]
  /** What of it is not done to real processes, and why. */
  readonly without?: string
}

const at = (file: string, test?: string): FaultTest => ({
  file: `test/${file}.test.ts`,
  ...(test === undefined ? {} : { test }),
})
const PARTITION = at('chaos/partition/partition')
const SCHEDULES = at('chaos/partition/schedules')

export const MATRIX: readonly Row[] = [
  {
    fault: 'a region cut off from the primary, both ways',
    expect: 'V1 inside the lease, S4 after it',
    needs: ['namespaces'],
    by: [PARTITION, SCHEDULES, at('integration/cluster/lease', 'answers until its lease ends')],
  },
  {
    fault: 'cut one way: requests arrive, answers do not',
    expect: 'S4: the lease ends in time',
    needs: ['namespaces'],
    by: [PARTITION, SCHEDULES],
  },
  {
    fault: 'cut the other way: requests do not arrive, what is pushed does',
    expect: 'S4: what is pushed is no lease',
    needs: ['namespaces'],
    by: [PARTITION, SCHEDULES],
  },
  {
    fault: 'flapping, a tenth of a lease to three of them',
    expect: 'no lease gets longer, no storm of dialling',
    needs: ['namespaces'],
    by: [PARTITION, SCHEDULES],
  },
  {
    fault: 'delivered in one burst after the heal',
    expect: 'S1, S4: a lease runs from the sending of its request',
    needs: [],
    by: [PARTITION, SCHEDULES],
  },
  {
    fault: 'packets lost, 5 to 50 in a hundred; reordered, doubled, late, in pieces of a byte',
    expect: 'S10, and bounded catching up',
    needs: ['namespaces', 'loss'],
    by: [
      SCHEDULES,
      at('integration/channel/channel', 'can change, repeat, reorder or cut nothing'),
      at('integration/cluster/reconnect'),
      at('shared/channel/hostile-peer', 'in whatever pieces'),
    ],
  },
  {
    fault: 'a store of objects that is away, busy or slow, loses answers, lists late, writes late',
    expect: 'S7: nothing is said to be archived that is not, and no primary ends',
    needs: [],
    by: [
      at('interop/s3/faults'),
      at('recovery/archive/lanes'),
      at('shared/archive/s3/store'),
      at('primary/archiver/chain/late-entry'),
    ],
  },
  {
    fault: 'a store that lies, loses entries, claims or files; a mount that is away; a FIFO among the objects',
    expect: 'S7, S8: found, reported, healed or asked about; nothing is written beside the archive',
    needs: [],
    by: [
      at('recovery/archive/repair'),
      at('recovery/archive/wounds'),
      at('recovery/archive/unmounted'),
      at('interop/s3/primary', 'heals its archive after a lying proxy and a deleting rule'),
    ],
  },
  {
    fault: 'the primary cut off from what grants leadership alone',
    expect: 'V3',
    needs: [],
    by: [at('recovery/archive/jobs', 'a primary with a successor deletes nothing more')],
    without: 'there is no automatic failover yet, so leadership is only looked at in the archive',
  },
  {
    fault: 'names that do not resolve; a peer with another key',
    expect: 'reported by its code, fails closed, comes back by itself',
    needs: [],
    by: [
      at('chaos/names'),
      at('integration/cluster/wire', 'a wrong pin'),
      at('integration/cluster/wire', 'a reload drops those'),
    ],
  },
  {
    fault: 'any process killed, once or in a loop',
    expect: 'S3, S7, S9',
    needs: [],
    by: [PARTITION, SCHEDULES, at('chaos/sigkill')],
  },
  {
    fault: 'killed at the n-th system call of a kind',
    expect: 'S7, S8, S9: what was acknowledged is there, whole',
    needs: ['strace kills'],
    by: [
      at('chaos/sigkill'),
      at('chaos/archive-sigkill'),
      at('chaos/restore-faults', 'killed at any call'),
      at('chaos/repair-faults'),
    ],
  },
  {
    fault: 'stopped and continued, half a lease to ten of them; frozen as a group',
    expect: 'S4: the lease is looked at again after computing',
    needs: ['freezer'],
    by: [PARTITION, SCHEDULES, at('integration/worker/stopped')],
  },
  {
    fault: 'an event loop that is blocked',
    expect: 'the same',
    needs: [],
    by: [at('integration/worker/stopped', 'whose event loop is blocked')],
  },
  {
    fault: 'a machine that sleeps',
    expect: 'S4: sleep counts',
    needs: [],
    by: [
      at('shared/freshness/holder', 'the furthest clock ends the lease'),
      at('shared/freshness/credible-time', 'slept'),
    ],
    without: 'no machine sleeps here; the simulator lets machines sleep (asleep), with all three clocks of the kernel',
  },
  {
    fault: 'wall clocks moved by hours, and starts in 1970 and 2106',
    expect: 'S13; leases do not change',
    needs: ['faketime'],
    by: [PARTITION, SCHEDULES, at('shared/freshness/credible-time')],
  },
  {
    fault: 'clocks that run too fast or too slow',
    expect: 'B allows for the rates that are assumed',
    needs: [],
    by: [at('shared/freshness/bound'), at('shared/freshness/grants', 'counted longer by what the clocks may differ')],
    without: 'the simulator gives every machine a rate of its own; on one real machine the difference is lost in noise',
  },
  {
    fault: 'full disks: of the primary, a replica, the archive, a restore',
    expect: 'writes are refused, reads and revocations go on, nothing is lost (S9)',
    needs: ['small volumes'],
    by: [at('integration/cluster/disk-full'), at('integration/cluster/disk-reserve'), at('chaos/archive-disk-full')],
  },
  {
    fault: 'failed syncs, writes, reads; short writes; interruptions; no descriptors left',
    expect:
      'fatal and never retried where a sync failed; else the node goes on, or ends and says why; no partial state',
    needs: ['strace errors'],
    by: [at('chaos/failing-disk'), at('chaos/failing-archive'), at('chaos/restore-faults', 'whose disk fails')],
  },
  {
    fault: 'damage: a bit, a cut, pages or files of another place or time, an old copy put back',
    expect: 'S10: found, named, never applied',
    needs: [],
    by: [
      SCHEDULES,
      at('chaos/rollback'),
      at('integration/cluster/divergence'),
      at('recovery/archive/history', 'flipped, cut, swapped, deleted and replayed files'),
    ],
  },
  {
    fault: 'SQLite’s files damaged, deleted, or written by another program',
    expect: 'found by the checksum; a fresh copy takes their place',
    needs: [],
    by: [at('integration/cluster/divergence'), at('recovery/sqlite/foreign-programs'), at('recovery/repair/repair')],
  },
  {
    fault: 'frames that are replayed, forged, of another session or epoch, too large; a wrong network key',
    expect: 'S10: the connection ends',
    needs: [],
    by: [at('integration/channel/channel'), at('shared/channel/hostile-peer'), at('integration/cluster/hostile')],
  },
  {
    fault: 'a peer that asks for more than its role',
    expect: 'refused, audited',
    needs: [],
    by: [at('integration/cluster/wire', 'a worker cannot mint'), at('integration/cluster/hostile')],
  },
  {
    fault: 'a stolen disk, and two machines with one identity',
    expect: 'S11; the double is refused and audited',
    needs: [],
    by: [
      at('integration/cluster/hostile', 'two machines with one replica’s identity'),
      at('shared/database/tables', 'another KEK'),
    ],
  },
  {
    fault: 'a replica on a link of a few kilobits, or with a small part of a processor',
    expect: 'V4: nobody else waits longer than B for it',
    needs: ['namespaces', 'tbf', 'quota'],
    by: [SCHEDULES, at('integration/cluster/old-disk', 'stops reading its snapshot')],
  },
  {
    fault: 'ten times the load: verifications, mints, subscribers, connections that say nothing',
    expect: 'V5, and S1 under load',
    needs: [],
    by: [
      at('integration/cluster/guests'),
      at('primary/commit-log/fair-queue', 'a flood of mints keeps none out'),
      at('shared/channel/storm'),
      at('integration/cluster/hostile', 'half-open'),
    ],
  },
  {
    fault:
      'all that surrounds a cluster, at once: full logs, a lying archive, jumping clocks, a hostile signer, long readers',
    expect: 'V1, V5, V9: no answer is wrong or missing, nothing acknowledged is lost',
    needs: ['faketime'],
    by: [at('chaos/rims/rims')],
  },
  {
    fault: 'hostile tokens',
    expect: 'V6, and the right class of error',
    needs: [],
    by: [at('fuzz/fuzz'), at('shared/verifier/bundle-work'), at('shared/verifier/fuzz')],
  },
  {
    fault: 'a poisoned record in the stream',
    expect: 'V7',
    needs: [],
    by: [at('replica/revocations/stream')],
  },
  {
    fault: 'a successor that is behind, two at once, an old primary that wakes',
    expect: 'S7: fenced',
    needs: [],
    by: [
      at('integration/cluster/old-disk', 'refuse an old primary'),
      at('replica/revocations/stream', 'a primary whose successor wrote the pages'),
      at('recovery/archive/coming-back'),
    ],
    without:
      'successors are made by hand: there are no candidates that race; two primaries at once are the simulator’s',
  },
  {
    fault: 'a restore in traffic, in a partition, twice, to before a revocation, interrupted at each step',
    expect: 'S8',
    needs: ['strace kills', 'strace errors'],
    by: [at('chaos/restore-faults'), at('recovery/archive/restore'), at('recovery/archive/coming-back')],
  },
  {
    fault: 'a restore from an old copy that asks nobody, and restarts of all replicas after it, killed at each step',
    expect: 'S3: what was refused stays refused',
    needs: [],
    by: [at('recovery/archive/undone'), at('recovery/sqlite/undone-history')],
  },
  {
    fault: 'a store that takes conditions and ignores them',
    expect: 'refused at the start',
    needs: [],
    by: [at('shared/archive/s3/store', 'ignores it is refused')],
  },
  {
    fault: 'versions that differ',
    expect: 'reported by their code',
    needs: [],
    by: [
      at('integration/cluster/divergence', 'of a newer schema'),
      at('shared/channel/handshake', 'an unknown code of a newer server'),
      at('upgrade/upgrade', 'node by node, replicas first, then back'),
      at('upgrade/upgrade', 'an old replica never guesses'),
    ],
  },
  {
    fault: 'a million revocations',
    expect: 'V2, bounded memory',
    needs: [],
    by: [
      at('primary/authority/purge'),
      at('shared/verifier/revocation-table'),
      at('replica/denials/denials', 'a turn looks at a few hundred rows'),
    ],
    without: 'how long and how much memory is measured by `npm run bench`',
  },
  {
    fault: 'everybody connects at once',
    expect: 'let in at a pace; the primary stays below its limits',
    needs: [],
    by: [at('shared/channel/storm'), at('shared/channel/turns')],
  },
  {
    fault: 'no key-encryption key at the start',
    expect: 'reported by its source, without a secret',
    needs: [],
    by: [at('shared/config/kek', 'a missing source is named'), at('integration/cluster/divergence', 'another KEK')],
  },
]
