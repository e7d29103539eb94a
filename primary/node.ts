/** The primary: its parts, wired. Data flows one way: command → authority → commit log → publisher → channel. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { listen, type Listener } from '../shared/channel/listen.ts'
import { PeerRegistry, type KnownPeer } from '../shared/channel/peers.ts'
import { RevocationLog } from '../shared/database/revocation-log.ts'
import { readTimelines } from '../shared/database/epochs.ts'
import { readSigningKeyFile } from '../shared/database/signing-key-file.ts'
import { readSigningKey, type SigningKey } from '../shared/database/signing-key.ts'
import type { MacaroondError } from '../shared/errors.ts'
import { systemHost, type Host } from '../shared/host.ts'
import type { Txid } from '../shared/ids.ts'
import { watchOutput } from '../shared/output/process-output.ts'
import type { OutputDrops } from '../shared/protocol/status.ts'
import { AlarmBoard } from '../shared/service/alarm-board.ts'
import type { Service } from '../shared/service/run-service.ts'
import { whileBelieved } from '../shared/service/schedule.ts'
import { lockFolder, type NodeLock } from '../shared/sqlite/node-lock.ts'
import { requireOpen, requireTime, type WritesState } from './api/gate.ts'
import { type Calls, openCalls } from './api/open-calls.ts'
import type { Archives } from './archiver/archives.ts'
import { isWitness, openArchives, scheduleArchiving } from './archiver/open-archiver.ts'
import { primaryStatus } from './api/status.ts'
import type { Command } from './authority/commands.ts'
import type { Joined } from './commit-log/agreement.ts'
import { CommitLog } from './commit-log/commit-log.ts'
import { GroupWriter } from './commit-log/group-writer.ts'
import { Durability } from './durability/durability.ts'
import { configurationDue } from './freshness/configuration-due.ts'
import { Granting } from './freshness/granting.ts'
import { Settling } from './freshness/settling.ts'
import { Maintenance } from './maintenance.ts'
import { NO_FLAGS, type PrimaryFlags, type PrimaryOptions } from './options.ts'
import { Purging } from './purging.ts'
import { Publisher } from './publisher/publisher.ts'
import { SnapshotFiles } from './publisher/snapshot-files.ts'
import { RecentRevocations } from './publisher/recent-revocations.ts'
import { createDatabase, isEmptyDatabase } from './store/create-database.ts'
import { refuseUnkeptLeases } from './store/migrate.ts'
import { transactionsOn } from './store/transactions.ts'
import { Admission } from './admission.ts'
import { watchPrimary } from './alarms.ts'
import { WritesGate } from './writes-gate.ts'

/** Among the witnesses; no PeerId looks like it. */
const ARCHIVE = 'archive'

export class Primary implements Service {
  readonly failed: Promise<unknown>
  readonly #options: PrimaryOptions
  readonly #host: Host
  readonly #lock: NodeLock
  readonly #peers: PeerRegistry
  readonly #commitLog: CommitLog
  readonly #writer: GroupWriter
  readonly #publisher: Publisher
  readonly #granting: Granting
  readonly #durability: Durability
  readonly #settling: Settling
  readonly #calls: Calls
  readonly #maintenance: Maintenance
  readonly #purging: Purging
  readonly #gate: WritesGate
  readonly #admission: Admission
  readonly #alarms: AlarmBoard
  readonly #linesDropped: () => OutputDrops
  readonly #startedMs: number
  readonly #signingKey: SigningKey
  #archives: Archives | undefined
  #endArchiving: () => void = () => undefined
  #listener: Listener | undefined
  #fail: (error: unknown) => void

  private constructor(options: PrimaryOptions) {
    const { config, kek, previousKeks = [], log, flags = NO_FLAGS, host = systemHost } = options
    const { clock, entropy } = host
    // While the time is in doubt nothing runs but uploads, which have no schedule.
    const schedule = whileBelieved(host.schedule, () => this.#granting.time.credible)
    const ring = [kek, ...previousKeks] as const
    const failed = Promise.withResolvers<unknown>()
    this.failed = failed.promise
    this.#fail = failed.resolve
    this.#options = options
    this.#host = { ...host, schedule }
    this.#startedMs = clock.monotonicMs()
    mkdirSync(config.data, { recursive: true, mode: 0o700 })
    this.#lock = lockFolder(config.data)
    this.#peers = new PeerRegistry(config.peers)
    this.#alarms = new AlarmBoard(clock, log)
    this.#linesDropped = watchOutput(options.output, this.#alarms, log)
    this.#commitLog = this.#openCommitLog()
    const { db } = this.#commitLog
    const onFatal = (error: unknown): void => this.#stopAtOnce(error)
    const kept = { commitLog: this.#commitLog, alarms: this.#alarms, config }
    this.#maintenance = new Maintenance({ ...kept, clock, schedule, log, onFatal })
    refuseUnkeptLeases(db, db.name)
    const revocations = new RecentRevocations(new RevocationLog(db))
    this.#writer = new GroupWriter({
      port: revocations.following(transactionsOn(this.#commitLog, { ring, entropy, clock }, onFatal)),
      clock,
      believed: () => requireTime(this.#granting.time),
      entropy,
      ring,
      due: () => this.#configurationDue(),
      gate: () => requireOpen(this.writes),
      onFatal: (error) => this.#stopAtOnce(error),
    })
    this.#gate = this.#openGate()
    const { purge: at } = config.maintenance
    this.#purging = new Purging({ db, writer: this.#writer, host: this.#host, at, log })
    this.#signingKey = readSigningKey(db, ring, config.cluster)
    this.#granting = this.#openGranting(flags)
    this.#settling = this.#openSettling(flags)
    this.#publisher = this.#openPublisher(revocations)
    this.#durability = this.#openDurability()
    this.#calls = openCalls({
      writer: this.#writer,
      commitLog: this.#commitLog,
      publisher: this.#publisher,
      granting: this.#granting,
      durability: this.#durability,
      ring,
      serviceTtlSecondsMax: config.tokens.service_token_days * 86_400,
      replicas: () => this.#replicas(),
      clock,
    })
    this.#admission = new Admission({
      peers: this.#peers,
      publisher: this.#publisher,
      calls: () => ({ ...this.#calls, status: () => this.status, clock, db, archives: this.#archives, log }),
    })
  }

  static async start(options: PrimaryOptions): Promise<Primary> {
    const primary = new Primary(options)
    const { config, identity, log } = options
    const { clock, transport } = primary.#host
    await primary.#startArchiving()
    // With no witness to wait for; only now, because the archive may have said that another primary leads.
    if (primary.#gate.confirmed) primary.#writer.migrate()
    primary.#listener = await listen({
      address: config.listen,
      identity,
      cluster: config.cluster,
      log,
      accept: (peer, channel, hello, address) => primary.#admission.accept({ peer, channel, hello, address }),
      onConnection: (connection) => primary.#admission.serve(connection),
      onRefusal: ({ remotePeer, channel, error }) =>
        log.debug({ remotePeer, channel, code: error.code }, 'peer refused'),
      clock,
      transport,
    })
    primary.#maintenance.start()
    primary.#purging.start()
    primary.#settling.look()
    primary.#startAlarms()
    log.info({ boundMs: primary.#granting.boundMs }, 'revocations bind everywhere within this bound')
    return primary
  }

  get address(): string {
    return this.#listener?.address ?? ''
  }

  get writes(): WritesState {
    return this.#gate.state
  }

  reload(): void {
    const { peers, ...rest } = this.#options.reread()
    this.#peers.replace(peers)
    this.#settling.look()
    const { peers: _, ...inForce } = this.#options.config
    if (isDeepStrictEqual(rest, inForce)) return
    this.#options.log.warn('of the configuration only `peers` changes at run time; the rest needs a restart')
  }

  async stop(): Promise<void> {
    this.#gate.stop()
    this.#alarms.stop()
    await this.#purging.stop()
    this.#settling.close()
    this.#publisher.close()
    this.#granting.close()
    await this.#listener?.close()
    this.#endArchiving()
    await this.#archives?.stop()
    await this.#maintenance.stop()
    this.#commitLog.close()
    this.#lock.release()
  }

  #startAlarms(): void {
    watchPrimary(this.#alarms, {
      state: () => this.#writer.state,
      gate: this.#gate,
      granting: this.#granting,
      durability: this.#durability,
      archives: () => this.#archives,
    })
    this.#alarms.start()
  }

  #openCommitLog(): CommitLog {
    const { config, kek, previousKeks = [], log } = this.#options
    const { clock, entropy } = this.#host
    const { cluster } = config
    return new CommitLog({
      database: join(config.data, 'macaroond.db'),
      logFolder: join(config.data, 'log'),
      keepBytes: config.segments.keep_bytes,
      cluster,
      clock,
      initialize: (db) => {
        if (!isEmptyDatabase(db)) return
        log.info({ cluster }, 'creating a new database')
        const { signing_key: file } = config
        const signingSeed = file === undefined ? undefined : readSigningKeyFile(file, cluster, [kek, ...previousKeks])
        createDatabase(db, { cluster, kek, clock, entropy, signingSeed })
      },
      onCommitted: () => this.#committed(),
      onGap: (gap) =>
        log.error(gap, 'the segment log ends before the database: it was set aside, replicas get a snapshot'),
      onDamagedLog: (error) => this.#alarms.set('log_damaged', error.message),
    })
  }

  #openGate(): WritesGate {
    const { config, log } = this.#options
    return new WritesGate({
      witnesses: () => this.#witnesses(),
      alone: config.alone,
      log,
      stalled: () => this.#commitLog.stalled,
      time: () => this.#granting.time,
      migrate: () => this.#writer.migrate(),
      submit: (command) => this.#writer.submit(command),
      onRefused: () => this.#alarms.refresh(),
      onFatal: (error) => this.#stopAtOnce(error),
    })
  }

  #openPublisher(revocations: RecentRevocations): Publisher {
    const { config, log } = this.#options
    const { db } = this.#commitLog
    return new Publisher({
      cluster: config.cluster,
      log: this.#commitLog,
      revocations,
      lastRevocation: () => this.#writer.state.revocationSeq,
      signingKey: this.#signingKey,
      earlierTimelines: readTimelines(db),
      snapshots: this.#openSnapshots(),
      granting: this.#granting,
      clock: this.#host.clock,
      logger: log,
      events: {
        joined: (replica, atHead) => this.#joined({ witness: replica, atHead }),
        acknowledged: () => this.#settling.look(),
        refused: (replica, message) => this.#gate.refused(replica, message),
        contradicted: (error) => this.#stopAtOnce(error),
      },
    })
  }

  /** Before the first connection: a primary that finds that another one leads must not be heard of. */
  async #startArchiving(): Promise<void> {
    const { config, kek, previousKeks = [], log, archivePorts } = this.#options
    const options = {
      config,
      host: this.#host,
      ports: archivePorts,
      alarms: this.#alarms,
      source: this.#commitLog,
      signingKey: this.#signingKey,
      ring: [kek, ...previousKeks],
      log,
      onClaimed: (archived: Txid) => this.#archiveAgreed(archived),
      onFatal: (error: MacaroondError) => this.#stopAtOnce(error),
      note: (command: Parameters<GroupWriter['submit']>[0]) => this.#writer.submit(command),
    }
    this.#archives = openArchives(options)
    if (this.#archives === undefined) return
    await this.#archives.start()
    this.#endArchiving = scheduleArchiving(this.#archives, options)
  }

  #openGranting({ acceptClock }: PrimaryFlags): Granting {
    return new Granting({
      settings: this.#options.config.freshness,
      clock: this.#host.clock,
      entropy: this.#host.entropy,
      leaseMsMax: () => this.#writer.state.leaseMsMax,
      issueClockMs: this.#writer.state.issue.lastMs,
      acceptClock,
      // With `alone` the operator waits for no replica.
      hasReplicas: !this.#options.config.alone && this.#replicaNames().length > 0,
      open: () => this.#gate.confirmed && !this.#gate.stopping,
    })
  }

  #openSettling({ oldPrimaryStopped }: PrimaryFlags): Settling {
    return new Settling({
      state: () => this.#writer.state,
      submit: (command) => this.#writer.submit(command),
      open: () => this.writes === 'open',
      configurationDue: () => this.#configurationDue() !== undefined,
      nudge: () => this.#writer.nudge(),
      leaseMs: this.#options.config.freshness.lease_ms,
      everyReplicaJoined: () => this.#everyReplicaJoined(),
      oldPrimaryStopped,
      clock: this.#host.clock,
      log: this.#options.log,
    })
  }

  #openDurability(): Durability {
    return new Durability({
      settings: this.#options.config.durability,
      hasReplicas: () => this.#replicaNames().length > 0,
      acknowledged: (seq, resolve) => this.#publisher.acknowledgements.wait(seq, resolve),
      archived: (txid, resolve) => this.#archives?.wait(txid, resolve) ?? (() => undefined),
      clock: this.#host.clock,
    })
  }

  #openSnapshots(): SnapshotFiles {
    const log = this.#commitLog
    return new SnapshotFiles({
      folder: this.#options.config.data,
      pin: () => ({ view: log.pin(), position: log.head }),
      clock: this.#host.clock,
      canFollow: ({ txid }) => log.checksumAt(txid) !== undefined,
      onDamaged: (error) => this.#stopAtOnce(error),
    })
  }

  #replicas(): readonly KnownPeer[] {
    return this.#peers.all().filter(({ role }) => role === 'replica')
  }

  #configurationDue(): Command | undefined {
    return configurationDue(this.#writer.state.configured, this.#replicas(), this.#durability)
  }

  #replicaNames(): readonly string[] {
    return this.#replicas().map(({ id }) => id)
  }

  /** What a replica acknowledged to this process is of this epoch. */
  #everyReplicaJoined(): boolean {
    return this.#replicaNames().every((id) => this.#publisher.status(id).acknowledged !== undefined)
  }

  /** Who can tell whether this disk is the newest there is. */
  #witnesses(): readonly string[] {
    return isWitness(this.#options.config.archive) ? [...this.#replicaNames(), ARCHIVE] : this.#replicaNames()
  }

  #archiveAgreed(archived: Txid): void {
    if (!isWitness(this.#options.config.archive)) return
    this.#joined({ witness: ARCHIVE, atHead: archived === this.#commitLog.head.txid })
  }

  #joined(event: Joined): void {
    if (this.#gate.joined(event)) this.#settling.look()
  }

  #committed(): void {
    this.#publisher.committed()
    this.#maintenance.committed()
    this.#archives?.committed(this.#commitLog.head.txid)
  }

  /** Nothing is written after this, and nothing is tidied up: the process ends as in a crash. */
  #stopAtOnce(error: unknown): void {
    this.#gate.stop()
    this.#fail(error)
  }

  get status(): ReturnType<typeof primaryStatus> {
    return primaryStatus({
      cluster: this.#options.config.cluster,
      commitLog: this.#commitLog,
      writes: this.writes,
      state: this.#writer.state,
      uptimeMs: this.#host.clock.monotonicMs() - this.#startedMs,
      replicas: this.#replicas(),
      publisher: this.#publisher,
      authorityKey: this.#signingKey.publicKey,
      archives: this.#archives,
      granting: this.#granting,
      durability: this.#durability,
      alarms: this.#alarms.list,
      linesDropped: this.#linesDropped(),
      leaseMs: this.#options.config.freshness.lease_ms,
    })
  }
}
