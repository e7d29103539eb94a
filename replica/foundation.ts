/**
 * The first parts of a replica: its files, its tables, its lease and clock, and its links to the primary, which do not dial
 * yet. When `openReplicaFoundation` returns, the tables enforce the revocations of the pages and the denials; the stream adds
 * those of the journal.
 */
import { join } from 'node:path'
import { PeerRegistry } from '../shared/channel/peers.ts'
import { watchOutput } from '../shared/output/process-output.ts'
import type { OutputDrops } from '../shared/protocol/status.ts'
import type { SignedPosition } from '../shared/protocol/signed-position.ts'
import { AlarmBoard } from '../shared/service/alarm-board.ts'
import { systemHost, type Host } from '../shared/service/host.ts'
import type { NodeLock } from '../shared/sqlite/node-lock.ts'
import type { RevocationRow } from '../shared/verifier/revocation-row.ts'
import { Denials } from './denials/denials.ts'
import { RecentRows } from './feed/recent-rows.ts'
import type { AppliedState } from './follower/core.ts'
import { SignedPositionStore } from './follower/signed-position-store.ts'
import { Freshness } from './freshness/freshness.ts'
import { LargestLease } from './freshness/largest-lease.ts'
import type { ReplicaOptions } from './options.ts'
import { PrimaryLinks } from './primary-links.ts'
import { RevocationJournal } from './revocations/journal.ts'
import { LostJournal } from './revocations/lost-journal.ts'
import { DatabaseCopy } from './store/database-copy.ts'
import { PageScrub } from './store/page-scrub.ts'
import { Tables, type TableSource } from './tables/tables.ts'
import { PositionWaiters } from './verify/position-waiters.ts'

export interface ReplicaFoundation {
  readonly options: ReplicaOptions
  readonly host: Host
  readonly startedMs: number
  readonly lock: NodeLock
  /** Resolves with the error after which this replica cannot go on. */
  readonly failed: Promise<unknown>
  readonly fail: (error: unknown) => void
  readonly alarms: AlarmBoard
  readonly linesDropped: () => OutputDrops
  readonly links: PrimaryLinks
  readonly peers: PeerRegistry
  /** The newest enforced revocations, which workers are sent. */
  readonly rows: RecentRows
  readonly tables: Tables
  readonly copy: DatabaseCopy
  readonly pageScrub: PageScrub
  /** Resolves when there is a database. */
  readonly hasData: Promise<void>
  readonly journal: RevocationJournal
  readonly lostJournal: LostJournal
  readonly denials: Denials
  readonly signed: SignedPositionStore
  /** Keeps a signed position and returns what it proves; undefined if the signature is not the authority's. */
  readonly takeSigned: (signed: SignedPosition) => AppliedState | undefined
  /** Waiting verifications of listed peers. */
  readonly waiters: PositionWaiters
  /** Waiting verifications of guests, which take no place from those of listed peers. */
  readonly guestWaiters: PositionWaiters
  readonly freshness: Freshness
}

/** The path of one of the replica's own files in its data folder. */
export const fileIn = ({ config }: Pick<ReplicaOptions, 'config'>, name: keyof typeof FILES): string =>
  join(config.data, FILES[name])

const FILES = {
  savedTable: 'revocations.table',
  journal: 'revocations.journal',
  lostJournal: 'journal-lost.json',
  denials: 'denials',
  signed: 'signed-position.json',
  largestLease: 'largest-lease.json',
  snapshot: 'snapshot.incoming',
  auditChecked: 'audit-checked.json',
} as const

/** Opens the files in the folder, which the caller has locked. Throws the errors with which a replica cannot start. */
export function openReplicaFoundation(options: ReplicaOptions, lock: NodeLock): ReplicaFoundation {
  const { config, log, identity, host = systemHost } = options
  const { clock, entropy } = host
  const startedMs = clock.monotonicMs()
  const { promise: failed, resolve: fail } = Promise.withResolvers<unknown>()
  const alarms = new AlarmBoard(clock, log)
  const linesDropped = watchOutput(options.output, alarms, log)
  const links = new PrimaryLinks({ config, identity, host, log, onAlarm: () => alarms.refresh() })
  const peers = new PeerRegistry(config.peers, { openVerify: config.verify_open })
  const rows = new RecentRows()
  const tables = openTables(options, host, rows)
  const { copy, hasData } = openCopy(options, host, tables, fail)
  const lostJournal = openLostJournal(options, copy)
  const journal = new RevocationJournal(fileIn(options, 'journal'))
  // Denials are enforced from the start on.
  const onRow = (row: RevocationRow): void => tables.deny([row])
  const denials = new Denials({ path: fileIn(options, 'denials'), entropy, timers: clock, onRow })
  const signed = new SignedPositionStore(fileIn(options, 'signed'), { log, timers: clock })
  const takeSigned: ReplicaFoundation['takeSigned'] = (position) =>
    signed.take(position, tables.publicKey, config.cluster)
  const [waiters, guestWaiters] = [new PositionWaiters(clock), new PositionWaiters(clock)]
  const freshness = new Freshness({
    clock,
    entropy,
    log,
    largestLease: new LargestLease(fileIn(options, 'largestLease')),
    issueClockMs: () => tables.meta?.issueClockMs,
    acceptClock: options.acceptClock ?? false,
    onSigned: (position) => void takeSigned(position),
    onRenewed: () => {
      waiters.wake()
      guestWaiters.wake()
    },
  })
  const opened = { options, host, startedMs, lock, failed, fail, alarms, linesDropped, links, peers, rows, tables }
  const pageScrub = new PageScrub({ copy, alarms })
  const kept = {
    copy,
    pageScrub,
    hasData,
    lostJournal,
    journal,
    denials,
    signed,
    takeSigned,
    waiters,
    guestWaiters,
    freshness,
  }
  return { ...opened, ...kept }
}

function openLostJournal(options: ReplicaOptions, { recorded }: DatabaseCopy): LostJournal {
  return new LostJournal({
    path: fileIn(options, 'lostJournal'),
    journal: fileIn(options, 'journal'),
    recordedEpoch: recorded?.position.epoch,
  })
}

function openTables(options: ReplicaOptions, { clock, entropy }: Host, rows: RecentRows): Tables {
  const { config, kek, previousKeks = [], log } = options
  return new Tables({
    cluster: config.cluster,
    ring: [kek, ...previousKeks],
    entropy,
    timers: clock,
    log,
    savedPath: fileIn(options, 'savedTable'),
    onRows: (place, stretch) => rows.take(place, stretch),
  })
}

/** Opens the copy. If no KEK opens a key, the replica fails: a reconnect would not help, the operator must correct it. */
function openCopy(
  { config, log }: ReplicaOptions,
  { clock, entropy }: Host,
  tables: Tables,
  fail: (error: unknown) => void,
): Pick<ReplicaFoundation, 'copy' | 'hasData'> {
  const { promise: hasData, resolve } = Promise.withResolvers<void>()
  const onReopened = (source: TableSource | undefined): void => {
    try {
      tables.attach(source)
      if (source !== undefined) resolve()
    } catch (error) {
      fail(error)
      throw error
    }
  }
  const { data: folder, cluster } = config
  return { copy: new DatabaseCopy({ folder, cluster, clock, entropy, log, onReopened }), hasData }
}
