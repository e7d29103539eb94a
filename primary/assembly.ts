/**
 * Builds the parts of a primary in dependency order: the constructor of a part receives only parts that exist. Two parts
 * report to parts that are built after them: the commit log reports commits, and the publisher reports the messages of
 * replicas. Their `connect` is called last, and neither does anything before that.
 */
import { readTimelines } from '../shared/database/epochs.ts'
import type { MacaroondError } from '../shared/errors.ts'
import { type Adoption, openAdoption } from './adoption/adoption.ts'
import type { Archives } from './archiver/archives.ts'
import { type Archiving, openArchiving } from './archiving.ts'
import type { Joined } from './commit-log/agreement.ts'
import { Durability } from './durability/durability.ts'
import { type PrimaryFoundation, openPrimaryFoundation } from './foundation.ts'
import { Settling } from './freshness/settling.ts'
import { Maintenance } from './maintenance.ts'
import { NO_FLAGS, type PrimaryOptions } from './options.ts'
import { Publisher } from './publisher/publisher.ts'
import { snapshotsOf } from './publisher/snapshot-files.ts'
import { Purging } from './purging.ts'
import { openWriteRules, type WriteRules } from './write-rules.ts'

type Base = PrimaryFoundation & WriteRules

export interface PrimaryParts extends PrimaryFoundation, WriteRules {
  readonly publisher: Publisher
  readonly settling: Settling
  readonly archiving: Archiving
  readonly archives: Archives | undefined
  readonly durability: Durability
  readonly adoption: Adoption
  readonly maintenance: Maintenance
  readonly purging: Purging
}

/** Builds all parts and starts none. Throws what `openPrimaryFoundation` throws. */
export function assemblePrimary(options: PrimaryOptions): PrimaryParts {
  const foundation = openPrimaryFoundation(options)
  const base = { ...foundation, ...openWriteRules(foundation) }
  const publisher = openPublisher(base)
  const settling = openSettling(base, publisher)
  const onJoined = (event: Joined): void => {
    if (base.gate.joined(event)) settling.check()
  }
  const archiving = openArchiving(base, onJoined)
  const { archives } = archiving
  const durability = openDurability(base, publisher, archives)
  const adoption = openAdoptionOf(base)
  const maintenance = openMaintenance(base)
  const { db } = base.commitLog
  const { log, config } = options
  const host = { ...base.host, clock: base.stampClock }
  const purging = new Purging({ db, writer: base.writer, host, at: config.maintenance.purge, log })
  const parts = { ...base, publisher, settling, archiving, archives, durability, adoption, maintenance, purging }
  connect(parts, onJoined)
  return parts
}

function openPublisher({ options, commitLog, revocations, writer, signingKey, ...base }: Base): Publisher {
  const { config, log } = options
  const { granting, host, stampClock, shutdown } = base
  const snapshots = { folder: config.data, clock: stampClock, onDamaged: shutdown.crash }
  return new Publisher({
    cluster: config.cluster,
    log: commitLog,
    revocations,
    lastRevocation: () => writer.state.revocationSeq,
    signingKey,
    earlierTimelines: readTimelines(commitLog.db),
    snapshots: snapshotsOf(commitLog, snapshots),
    granting,
    clock: host.clock,
    logger: log,
  })
}

function openSettling(
  { options, writer, members, host, gate, configurationNote }: Base,
  publisher: Publisher,
): Settling {
  const { config, log, flags = NO_FLAGS } = options
  return new Settling({
    state: () => writer.state,
    submit: (command) => writer.submit(command),
    writesOpen: () => gate.refusal('lease.raise') === undefined,
    configurationDue: () => configurationNote() !== undefined,
    nudge: () => writer.nudge(),
    leaseMs: config.freshness.lease_ms,
    // Any acknowledgement to this process is of this epoch.
    everyReplicaJoined: () => members.replicaIds.every((id) => publisher.status(id).acknowledged !== undefined),
    oldPrimaryStopped: flags.oldPrimaryStopped,
    clock: host.clock,
    log,
  })
}

function openDurability(base: Base, { acknowledgements }: Publisher, archives: Archives | undefined): Durability {
  const { options, members, stampClock } = base
  return new Durability({
    settings: options.config.durability,
    hasReplicas: () => members.replicaIds.length > 0,
    acknowledged: (seq, resolve) => acknowledgements.wait(seq, resolve),
    archived: (txid, resolve) => archives?.wait(txid, resolve) ?? (() => undefined),
    clock: stampClock,
  })
}

function openAdoptionOf({ options, commitLog, writer, members, host, gate, shutdown }: Base): Adoption {
  const writesOpen = (): boolean => gate.confirmed && !shutdown.begun
  const own = { db: commitLog.db, writer, clock: host.clock, log: options.log }
  return openAdoption({ ...own, writesOpen, replicas: () => members.replicas })
}

function openMaintenance({ options, commitLog, alarms, host, shutdown, obstacles }: Base): Maintenance {
  const { config, log } = options
  const { clock, schedule } = host
  const events = { onFatal: shutdown.crash, onWatched: () => obstacles.check() }
  return new Maintenance({ commitLog, alarms, config, clock, schedule, log, ...events })
}

function connect(parts: PrimaryParts, onJoined: (event: Joined) => void): void {
  const { commitLog, publisher, maintenance, archives, settling, adoption, gate } = parts
  commitLog.connect(() => {
    publisher.committed()
    maintenance.committed()
    archives?.committed(commitLog.head.txid)
  })
  publisher.connect({
    joined: (replica, atHead) => onJoined({ witness: replica, atHead }),
    acknowledged: () => settling.check(),
    denials: (replica, report) => adoption.reported(replica, report),
    refused: (replica, message) => gate.recordRefusedReplica(replica, message),
    contradicted: (error) => contradicted(parts, error),
  })
}

/** A replica has proved that this disk is old. The primary notes it in its own audit, if it still can, and stops at once. */
function contradicted({ writer, shutdown }: PrimaryParts, error: MacaroondError): void {
  const { message } = error
  const note = { kind: 'audit.note', actor: { text: 'primary' }, action: 'primary.contradicted' } as const
  writer.writeLast({ ...note, detail: { message } })
  shutdown.crash(error)
}
