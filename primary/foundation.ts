/**
 * Opens the foundation of a primary: its folder, its database with the authority's state, and its clock. The writer does not
 * take commands yet, because the parts that its rules consist of need this foundation.
 */
import { mkdirSync } from 'node:fs'
import { PeerRegistry } from '../shared/channel/peers.ts'
import { type NodeClock, withWallTime } from '../shared/clock.ts'
import { RevocationLog } from '../shared/database/revocation-log.ts'
import { readSigningKey, type SigningKey } from '../shared/database/signing-key.ts'
import { watchOutput } from '../shared/output/process-output.ts'
import type { OutputDrops } from '../shared/protocol/status.ts'
import type { Kek } from '../shared/sealing.ts'
import { AlarmBoard } from '../shared/service/alarm-board.ts'
import { systemHost, type Host } from '../shared/service/host.ts'
import { whileBelieved } from '../shared/service/schedule.ts'
import { lockFolder, type NodeLock } from '../shared/sqlite/node-lock.ts'
import type { CommitLog } from './commit-log/commit-log.ts'
import type { GroupWriter } from './commit-log/group-writer.ts'
import { AuthorityClock } from './freshness/authority-clock.ts'
import { Members } from './members.ts'
import { openCommitLog } from './open-commit-log.ts'
import { NO_FLAGS, type PrimaryOptions } from './options.ts'
import { RecentRevocations } from './publisher/recent-revocations.ts'
import { Shutdown } from './shutdown.ts'
import { refuseRestartLeases } from './store/migrate.ts'
import { openGroupWriter } from './store/open-writer.ts'

export interface PrimaryFoundation {
  readonly options: PrimaryOptions
  /** A host whose scheduled jobs wait while time is in doubt. */
  readonly host: Host
  /** Start of the process, monotonic milliseconds. */
  readonly startedMs: number
  /** The key-encryption key that a rotation seals with, then earlier ones. */
  readonly ring: readonly [Kek, ...Kek[]]
  readonly shutdown: Shutdown
  /** Keeps a second process out of the folder. */
  readonly lock: NodeLock
  readonly peers: PeerRegistry
  readonly members: Members
  readonly alarms: AlarmBoard
  /** Counts of lines that this process dropped because nobody read its output. */
  readonly linesDropped: () => OutputDrops
  readonly commitLog: CommitLog
  readonly revocations: RecentRevocations
  readonly writer: GroupWriter
  readonly authorityClock: AuthorityClock
  /** A clock whose wall time is the authority's time, for parts that stamp what they write. */
  readonly stampClock: NodeClock
  readonly signingKey: SigningKey
}

/** Locks the folder and opens the database in it. Throws the error that prevents either. */
export function openPrimaryFoundation(options: PrimaryOptions): PrimaryFoundation {
  const { config, kek, previousKeks = [], log, host = systemHost } = options
  const { clock, entropy } = host
  const startedMs = clock.monotonicMs()
  mkdirSync(config.data, { recursive: true, mode: 0o700 })
  const lock = lockFolder(config.data)
  const ring = [kek, ...previousKeks] as const
  const shutdown = new Shutdown()
  const peers = new PeerRegistry(config.peers)
  const members = new Members(peers, config)
  const alarms = new AlarmBoard(clock, log)
  const linesDropped = watchOutput(options.output, alarms, log)
  const commitLog = openCommitLog({ ...options, host, alarms })
  const { db } = commitLog
  refuseRestartLeases(db, db.name)
  const revocations = new RecentRevocations(new RevocationLog(db))
  const writer = openGroupWriter({ commitLog, revocations, ring, clock, entropy, onFatal: shutdown.crash })
  const authorityClock = startClock(options, { clock, members, writer })
  return {
    options,
    // While time is in doubt only uploads run, which have no schedule.
    host: { ...host, schedule: whileBelieved(host.schedule, () => authorityClock.time.credible) },
    startedMs,
    ring,
    shutdown,
    lock,
    peers,
    members,
    alarms,
    linesDropped,
    commitLog,
    revocations,
    writer,
    authorityClock,
    stampClock: withWallTime(clock, () => authorityClock.moment.nowMs),
    signingKey: readSigningKey(db, ring, config.cluster),
  }
}

/** Starts the authority's clock at the time of the last mint. */
function startClock(
  { config, flags = NO_FLAGS }: PrimaryOptions,
  { clock, members, writer }: Pick<Host, 'clock'> & Pick<PrimaryFoundation, 'members' | 'writer'>,
): AuthorityClock {
  return new AuthorityClock({
    clock,
    issueClockMs: writer.state.issue.lastMs,
    acceptClock: flags.acceptClock,
    // With `alone` no replica may ever connect, so the clock must not wait for one.
    hasReplicas: !config.alone && members.replicaIds.length > 0,
  })
}
