/**
 * Builds the parts of a replica in dependency order, so that each part gets only parts that exist. Two parts call parts that
 * are built later: the copy calls the keeper of denials before a snapshot replaces the pages, and the stream calls the observer
 * of its rows. Each of the two gets its callback through one method after construction, and calls nothing before.
 */
import { AuditWatch } from '../shared/service/audit-watch.ts'
import { whileBelieved } from '../shared/service/schedule.ts'
import { DenialsKeeper } from './denials/keeper.ts'
import { Enforcement } from './enforcement.ts'
import { Feed } from './feed/feed.ts'
import { Follower } from './follower/follower.ts'
import { fileIn, type ReplicaFoundation, openReplicaFoundation } from './foundation.ts'
import type { ReplicaOptions } from './options.ts'
import { RevocationStream } from './revocations/stream.ts'
import { Upkeep } from './upkeep.ts'
import { VerifyApi } from './verify/verify-api.ts'
import type { NodeLock } from '../shared/sqlite/node-lock.ts'

export interface ReplicaParts extends ReplicaFoundation {
  readonly stream: RevocationStream
  readonly keeper: DenialsKeeper
  readonly feed: Feed
  readonly verify: VerifyApi
  readonly guestVerify: VerifyApi
  readonly upkeep: Upkeep
  readonly follower: Follower
}

/** Builds all parts; none of them runs yet. */
export function assembleReplica(options: ReplicaOptions, lock: NodeLock): ReplicaParts {
  const base = openReplicaFoundation(options, lock)
  const { identity, config } = options
  const { tables, freshness, rows, host, waiters, guestWaiters } = base
  const stream = openStream(base)
  const keeper = openKeeper(base, stream)
  base.copy.beforeInstall((replacement, install) => keeper.keepThenInstall(replacement, install))
  const judging = { node: identity.peerId, region: config.region, tables, freshness }
  const feed = new Feed({ ...judging, clock: host.clock, rows, enforced: () => stream.enforced })
  const verify = new VerifyApi({ ...judging, waiters })
  const guestVerify = new VerifyApi({ ...judging, waiters: guestWaiters })
  const upkeep = openUpkeep(base, keeper)
  const enforcement = openEnforcement(base, { stream, feed, upkeep })
  stream.observe(enforcement.onStreamRows)
  const follower = openFollower(base, { stream, keeper, enforcement })
  return { ...base, stream, keeper, feed, verify, guestVerify, upkeep, follower }
}

function openStream({
  options,
  host,
  tables,
  journal,
  freshness,
  denials,
  copy,
  links,
  fail,
}: ReplicaFoundation): RevocationStream {
  const { kek, previousKeks = [] } = options
  return new RevocationStream({
    tables,
    journal,
    clock: host.clock,
    freshness,
    workers: freshness.workers,
    keks: [kek, ...previousKeks].map(({ id }) => id),
    denials,
    syncPages: () => copy.sync(),
    onDiverged: (message) => links.setDiverged('revocations', message),
    onFatal: fail,
  })
}

function openKeeper(base: ReplicaFoundation, stream: RevocationStream): DenialsKeeper {
  const { options, host, copy, denials, journal, tables, freshness, alarms, pageScrub, fail } = base
  return new DenialsKeeper({
    folder: options.config.data,
    savedTable: fileIn(options, 'savedTable'),
    file: denials,
    journal,
    tables,
    unwritten: () => stream.unwritten,
    onChanged: () => stream.denialsChanged(),
    onFatal: fail,
    scrubPages: () => pageScrub.run(),
    syncPages: () => copy.sync(),
    deletionMs: () => freshness.deletionMs(),
    alarms,
    timers: host.clock,
    entropy: host.entropy,
    log: options.log,
  })
}

function openUpkeep(base: ReplicaFoundation, keeper: DenialsKeeper): Upkeep {
  const { options, host, alarms, copy, pageScrub, tables, freshness, fail } = base
  const { config, log } = options
  const path = fileIn(options, 'auditChecked')
  // No scheduled job runs while the time is in doubt.
  const schedule = whileBelieved(host.schedule, () => freshness.time(freshness.now()).credible)
  return new Upkeep({
    config,
    alarms,
    host: { ...host, schedule },
    log,
    copy,
    pageScrub,
    tables,
    audit: new AuditWatch({ path, db: () => tables.source?.reader, mayLag: true, timers: host.clock, alarms, log }),
    freshness,
    keeper,
    onFatal: fail,
  })
}

function openEnforcement(
  { options, tables, rows, freshness, waiters, guestWaiters, fail }: ReplicaFoundation,
  parts: Pick<ReplicaParts, 'stream' | 'feed' | 'upkeep'>,
): Enforcement {
  const folder = options.config.data
  return new Enforcement({
    ...parts,
    folder,
    tables,
    rows,
    freshness,
    waiters: [waiters, guestWaiters],
    onFatal: fail,
  })
}

function openFollower(
  { options, host, freshness, copy, lostJournal, signed, takeSigned, links, fail }: ReplicaFoundation,
  { stream, keeper, enforcement }: Pick<ReplicaParts, 'stream' | 'keeper'> & { readonly enforcement: Enforcement },
): Follower {
  return new Follower({
    boot: freshness.boot,
    copy,
    snapshotPath: fileIn(options, 'snapshot'),
    clock: host.clock,
    log: options.log,
    signed: () => signed.newest,
    revocations: () => stream.durable,
    onSigned: takeSigned,
    onApplied: () => enforcement.onPages(),
    onDurable: () => {
      stream.pagesDurable()
      if (stream.hasCaughtUp) lostJournal.caughtUp()
      keeper.pagesDurable()
    },
    onDiverged: (message) => links.setDiverged('wal', message),
    onFatal: fail,
  })
}
