/** The primary: its parts, wired. Data flows one way: command → authority → commit log → publisher → channel. */
import { mkdirSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import type { Listener } from '../shared/channel/listen.ts'
import { PeerRegistry } from '../shared/channel/peers.ts'
import { RevocationLog } from '../shared/database/revocation-log.ts'
import { readTimelines } from '../shared/database/epochs.ts'
import { readSigningKey, type SigningKey } from '../shared/database/signing-key.ts'
import type { MacaroondError } from '../shared/errors.ts'
import { type NodeClock, withWallTime } from '../shared/clock.ts'
import { systemHost, type Host } from '../shared/service/host.ts'
import type { Txid } from '../shared/ids.ts'
import { watchOutput } from '../shared/output/process-output.ts'
import type { OutputDrops } from '../shared/protocol/status.ts'
import { AlarmBoard } from '../shared/service/alarm-board.ts'
import type { Kek } from '../shared/sealing.ts'
import type { Service } from '../shared/service/run-service.ts'
import { whileBelieved } from '../shared/service/schedule.ts'
import { lockFolder, type NodeLock } from '../shared/sqlite/node-lock.ts'
import type { WritesState } from './api/gate.ts'
import { type Calls, openCalls } from './api/open-calls.ts'
import type { Archives } from './archiver/archives.ts'
import { isWitness, openArchives, scheduleArchiving } from './archiver/open-archiver.ts'
import { primaryStatus } from './api/status.ts'
import type { Joined } from './commit-log/agreement.ts'
import { type Adoption, openAdoption } from './adoption/adoption.ts'
import type { CommitLog } from './commit-log/commit-log.ts'
import type { GroupWriter } from './commit-log/group-writer.ts'
import { Durability } from './durability/durability.ts'
import { configurationDue } from './freshness/configuration-due.ts'
import { Granting } from './freshness/granting.ts'
import { Settling } from './freshness/settling.ts'
import { Maintenance } from './maintenance.ts'
import { ARCHIVE, Members } from './members.ts'
import { Obstacles } from './obstacles.ts'
import { openCommitLog } from './open-commit-log.ts'
import { NO_FLAGS, type PrimaryFlags, type PrimaryOptions } from './options.ts'
import { Purging } from './purging.ts'
import { Publisher } from './publisher/publisher.ts'
import { snapshotsOf } from './publisher/snapshot-files.ts'
import { RecentRevocations } from './publisher/recent-revocations.ts'
import { refuseUnkeptLeases } from './store/migrate.ts'
import { openWriter } from './store/open-writer.ts'
import { Admission } from './admission.ts'
import { watchPrimary } from './alarms.ts'
import { WritesGate } from './writes-gate.ts'

export class Primary implements Service {
  readonly failed: Promise<unknown>
  readonly #options: PrimaryOptions
  readonly #host: Host
  readonly #ring: readonly [Kek, ...Kek[]]
  readonly #lock: NodeLock
  readonly #peers: PeerRegistry
  readonly #members: Members
  readonly #commitLog: CommitLog
  readonly #writer: GroupWriter
  readonly #publisher: Publisher
  readonly #granting: Granting
  readonly #durability: Durability
  readonly #adoption: Adoption
  readonly #settling: Settling
  readonly #calls: Calls
  readonly #maintenance: Maintenance
  readonly #purging: Purging
  readonly #gate: WritesGate
  readonly #obstacles: Obstacles
  readonly #admission: Admission
  readonly #alarms: AlarmBoard
  readonly #linesDropped: () => OutputDrops
  readonly #startedMs: number
  readonly #signingKey: SigningKey
  #archives: Archives | undefined
  #endArchiving: () => void = () => undefined
  #listener: Listener | undefined
  #fail: (error: unknown) => void
  /** The authority's time: whatever is written down is stamped with it. */
  readonly #stampMs = (): number => this.#granting.moment.nowMs
  /** For parts that stamp what they write, and measure spans. */
  readonly #stampClock: NodeClock

  private constructor(options: PrimaryOptions) {
    const { config, kek, previousKeks = [], log, flags = NO_FLAGS, host = systemHost } = options
    const { clock } = host
    // While the time is in doubt nothing runs but uploads, which have no schedule.
    const schedule = whileBelieved(host.schedule, () => this.#granting.time.credible)
    this.#ring = [kek, ...previousKeks]
    const failed = Promise.withResolvers<unknown>()
    this.failed = failed.promise
    this.#fail = failed.resolve
    this.#options = options
    this.#host = { ...host, schedule }
    this.#stampClock = withWallTime(clock, this.#stampMs)
    this.#startedMs = clock.monotonicMs()
    mkdirSync(config.data, { recursive: true, mode: 0o700 })
    this.#lock = lockFolder(config.data)
    this.#peers = new PeerRegistry(config.peers)
    this.#members = new Members(this.#peers, config)
    this.#alarms = new AlarmBoard(clock, log)
    this.#linesDropped = watchOutput(options.output, this.#alarms, log)
    const stamped = { alarms: this.#alarms, stampMs: this.#stampMs, onCommitted: () => this.#committed() }
    this.#commitLog = openCommitLog({ ...options, host, ...stamped })
    const { db } = this.#commitLog
    const onFatal = (error: unknown): void => this.#stopAtOnce(error)
    const onLooked = (): void => this.#obstacles.look()
    const kept = { commitLog: this.#commitLog, alarms: this.#alarms, config }
    this.#maintenance = new Maintenance({ ...kept, clock, schedule, log, onFatal, onLooked })
    refuseUnkeptLeases(db, db.name)
    const revocations = new RecentRevocations(new RevocationLog(db))
    this.#writer = this.#openWriter(revocations)
    this.#granting = this.#openGranting(flags)
    this.#obstacles = this.#openObstacles()
    this.#gate = this.#openGate()
    const { purge: at } = config.maintenance
    this.#purging = new Purging({ db, writer: this.#writer, host: { clock: this.#stampClock, schedule }, at, log })
    this.#signingKey = readSigningKey(db, this.#ring, config.cluster)
    this.#settling = this.#openSettling(flags)
    this.#publisher = this.#openPublisher(revocations)
    this.#durability = this.#openDurability()
    this.#adoption = this.#openAdoption()
    this.#calls = this.#openCalls()
    this.#admission = new Admission({
      peers: this.#peers,
      publisher: this.#publisher,
      calls: () => ({ ...this.#calls, status: () => this.status, clock, db, archives: this.#archives, log }),
    })
  }

  static async start(options: PrimaryOptions): Promise<Primary> {
    const primary = new Primary(options)
    await primary.#startArchiving()
    // With no witness to wait for; only now, because the archive may have said that another primary leads.
    if (primary.#gate.confirmed) primary.#writer.migrate()
    primary.#listener = await primary.#admission.listen(options, primary.#host)
    primary.#maintenance.start()
    primary.#purging.start()
    primary.#settling.look()
    primary.#adoption.start()
    primary.#startAlarms()
    options.log.info({ boundMs: primary.#granting.boundMs }, 'revocations bind everywhere within this bound')
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
    this.#adoption.close()
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
      obstacles: this.#obstacles,
      room: this.#commitLog.room,
      granting: this.#granting,
      durability: this.#durability,
      adoption: this.#adoption,
      archives: () => this.#archives,
    })
    this.#alarms.start()
  }

  #openWriter(revocations: RecentRevocations): GroupWriter {
    const { clock, entropy } = this.#host
    const own = { commitLog: this.#commitLog, revocations, ring: this.#ring, stampMs: this.#stampMs, clock, entropy }
    return openWriter({
      ...own,
      moment: () => this.#granting.moment,
      due: () => configurationDue(this.#writer.state.configured, this.#members.replicas, this.#durability),
      gate: (kind) => this.#gate.require(kind),
      onAttempt: (attempt) => this.#obstacles.attempted(attempt),
      onFatal: (error) => this.#stopAtOnce(error),
    })
  }

  #openCalls(): Calls {
    return openCalls({
      writer: this.#writer,
      commitLog: this.#commitLog,
      publisher: this.#publisher,
      granting: this.#granting,
      durability: this.#durability,
      adoption: this.#adoption,
      ring: this.#ring,
      serviceTtlSecondsMax: this.#options.config.tokens.service_token_days * 86_400,
      replicas: () => this.#members.replicas,
      clock: this.#stampClock,
    })
  }

  #openGate(): WritesGate {
    const { config, log } = this.#options
    return new WritesGate({
      witnesses: () => this.#members.witnesses,
      alone: config.alone,
      log,
      commitLog: this.#commitLog,
      writer: this.#writer,
      blocked: () => this.#obstacles.blockedBy !== undefined,
      time: () => this.#granting.time,
      onRefused: () => this.#alarms.refresh(),
      onFatal: (error) => this.#stopAtOnce(error),
    })
  }

  #openObstacles(): Obstacles {
    return new Obstacles({
      commitLog: this.#commitLog,
      granting: this.#granting,
      writer: this.#writer,
      takesNotes: () => this.#gate.refusal('audit.note') === undefined,
      onChange: () => this.#alarms.refresh(),
      clock: this.#host.clock,
      log: this.#options.log,
    })
  }

  #openPublisher(revocations: RecentRevocations): Publisher {
    const { config, log } = this.#options
    const { db } = this.#commitLog
    const onDamaged = (error: unknown): void => this.#stopAtOnce(error)
    return new Publisher({
      cluster: config.cluster,
      log: this.#commitLog,
      revocations,
      lastRevocation: () => this.#writer.state.revocationSeq,
      signingKey: this.#signingKey,
      earlierTimelines: readTimelines(db),
      snapshots: snapshotsOf(this.#commitLog, { folder: config.data, clock: this.#stampClock, onDamaged }),
      granting: this.#granting,
      clock: this.#host.clock,
      logger: log,
      events: {
        joined: (replica, atHead) => this.#joined({ witness: replica, atHead }),
        acknowledged: () => this.#settling.look(),
        denials: (replica, told) => this.#adoption.told(replica, told),
        refused: (replica, message) => this.#gate.refused(replica, message),
        contradicted: (error) => this.#contradicted(error),
      },
    })
  }

  /** Before the first connection: a primary that finds that another one leads must not be heard of. */
  async #startArchiving(): Promise<void> {
    const { config, log, archivePorts } = this.#options
    const options = {
      config,
      host: { clock: this.#stampClock, entropy: this.#host.entropy, schedule: this.#host.schedule },
      ports: archivePorts,
      alarms: this.#alarms,
      source: this.#commitLog,
      signingKey: this.#signingKey,
      ring: this.#ring,
      log,
      paused: () => this.#commitLog.room.full,
      onDiskFull: () => this.#commitLog.room.suspected(),
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
      hasReplicas: !this.#options.config.alone && this.#members.replicaIds.length > 0,
      open: () => this.#gate.grants,
    })
  }

  #openSettling({ oldPrimaryStopped }: PrimaryFlags): Settling {
    return new Settling({
      state: () => this.#writer.state,
      submit: (command) => this.#writer.submit(command),
      open: () => this.#gate.refusal('lease.raise') === undefined,
      configurationDue: () =>
        configurationDue(this.#writer.state.configured, this.#members.replicas, this.#durability) !== undefined,
      nudge: () => this.#writer.nudge(),
      leaseMs: this.#options.config.freshness.lease_ms,
      // What a replica acknowledged to this process is of this epoch.
      everyReplicaJoined: () =>
        this.#members.replicaIds.every((id) => this.#publisher.status(id).acknowledged !== undefined),
      oldPrimaryStopped,
      clock: this.#host.clock,
      log: this.#options.log,
    })
  }

  #openDurability(): Durability {
    return new Durability({
      settings: this.#options.config.durability,
      hasReplicas: () => this.#members.replicaIds.length > 0,
      acknowledged: (seq, resolve) => this.#publisher.acknowledgements.wait(seq, resolve),
      archived: (txid, resolve) => this.#archives?.wait(txid, resolve) ?? (() => undefined),
      clock: this.#stampClock,
    })
  }

  #openAdoption(): Adoption {
    const open = (): boolean => this.#gate.confirmed && !this.#gate.stopping
    const own = { db: this.#commitLog.db, writer: this.#writer, clock: this.#host.clock, log: this.#options.log }
    return openAdoption({ ...own, open, replicas: () => this.#members.replicas })
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

  /** Proof that this disk is old. What took writes before it came is in no state to tell anybody but by its own audit. */
  #contradicted(error: MacaroondError): void {
    const { message } = error
    const note = { kind: 'audit.note', actor: { text: 'primary' }, action: 'primary.contradicted' } as const
    this.#writer.writeLast({ ...note, detail: { message } })
    this.#stopAtOnce(error)
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
      replicas: this.#members.replicas,
      publisher: this.#publisher,
      authorityKey: this.#signingKey.publicKey,
      archives: this.#archives,
      granting: this.#granting,
      durability: this.#durability,
      denials: this.#adoption.counts,
      alarms: this.#alarms.list,
      linesDropped: this.#linesDropped(),
      leaseMs: this.#options.config.freshness.lease_ms,
      grants: this.#gate.grants,
      room: this.#commitLog.room,
    })
  }
}
