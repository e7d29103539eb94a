/** The replica: its parts, wired. Data flows one way: channel → follower → applier → tables → verifier → worker. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { Allowance } from '../shared/channel/allowance.ts'
import { CallTurns } from '../shared/service/call-turns.ts'
import type { Connection } from '../shared/channel/connection.ts'
import type { Identity } from '../shared/channel/identity.ts'
import type { Acceptance } from '../shared/channel/inbound.ts'
import { understands } from '../shared/channel/hello.ts'
import { listen, type Listener } from '../shared/channel/listen.ts'
import { PeerRegistry } from '../shared/channel/peers.ts'
import { serveRpc, type RpcMethod } from '../shared/channel/rpc-server.ts'
import { MacaroondError, reportOf } from '../shared/errors.ts'
import type { Applied } from '../shared/freshness/holder.ts'
import { systemHost, type Host } from '../shared/service/host.ts'
import { GUEST_REQUESTS_IN_FLIGHT_MAX, REQUESTS_IN_FLIGHT_MAX, SIGN_CALLS_IN_FLIGHT_MAX } from '../shared/limits.ts'
import type { Log } from '../shared/log.ts'
import { watchOutput, type ProcessOutput } from '../shared/output/process-output.ts'
import type { OutputDrops } from '../shared/protocol/status.ts'
import type { Kek } from '../shared/sealing.ts'
import { KNOWS_AGE } from '../shared/protocol/verify.ts'
import { AlarmBoard } from '../shared/service/alarm-board.ts'
import { AuditWatch } from '../shared/service/audit-watch.ts'
import type { Service } from '../shared/service/run-service.ts'
import { whileBelieved } from '../shared/service/schedule.ts'
import { lockFolder, type NodeLock } from '../shared/sqlite/node-lock.ts'
import { sqliteError } from '../shared/files/storage-errors.ts'
import { selfTest } from '../shared/sqlite/self-test.ts'
import { watchReplica } from './alarms.ts'
import { adminCalls, type AdminSources } from './admin-calls.ts'
import type { ReplicaConfig } from './config.ts'
import { DenialsKeeper } from './denials/keeper.ts'
import { Feed } from './feed/feed.ts'
import { RecentRows } from './feed/recent-rows.ts'
import { Follower } from './follower/follower.ts'
import { SignedPositionStore } from './follower/signed-position-store.ts'
import { Freshness } from './freshness/freshness.ts'
import { LargestLease } from './freshness/largest-lease.ts'
import { PrimaryLinks } from './primary-links.ts'
import { RevocationJournal } from './revocations/journal.ts'
import type { RowObserver } from './revocations/history.ts'
import { RevocationStream } from './revocations/stream.ts'
import { replicaStatus } from './status.ts'
import { DatabaseCopy, type DatabaseCopyOptions } from './store/database-copy.ts'
import { Tables, type TableSource } from './tables/tables.ts'
import { GuestGate } from './verify/guest-gate.ts'
import { Upkeep } from './upkeep.ts'
import { VerifyApi, type AnswerOptions } from './verify/verify-api.ts'

const JOURNAL = 'revocations.journal'
/** Peers that no list names take turns as one. */
const GUESTS = 'guests'

export interface ReplicaOptions {
  readonly config: ReplicaConfig
  readonly identity: Identity
  readonly kek: Kek
  /** Open what was sealed before the last rotation. */
  readonly previousKeks?: readonly Kek[]
  readonly log: Log
  /** Where the lines of this process go; a node that shares its process has none of its own. */
  readonly output?: ProcessOutput
  /** The operator's word, for this start, that the clock is right. */
  readonly acceptClock?: boolean
  readonly host?: Host
  /** Reads the configuration again, for SIGHUP. */
  readonly reread: () => ReplicaConfig
}

export class Replica implements Service {
  readonly failed: Promise<unknown>
  readonly #options: ReplicaOptions
  readonly #host: Host
  readonly #lock: NodeLock
  readonly #peers: PeerRegistry
  readonly #tables: Tables
  readonly #copy: DatabaseCopy
  readonly #journal: RevocationJournal
  readonly #denials: DenialsKeeper
  readonly #signed: SignedPositionStore
  readonly #follower: Follower
  readonly #stream: RevocationStream
  readonly #verify: VerifyApi
  /** The same for peers that no list names: what waits there takes no place from the others. */
  readonly #guestVerify: VerifyApi
  readonly #guests: GuestGate
  readonly #turns: CallTurns
  readonly #allowance = new Allowance(SIGN_CALLS_IN_FLIGHT_MAX)
  readonly #freshness: Freshness
  readonly #rows = new RecentRows()
  readonly #feed: Feed
  readonly #links: PrimaryLinks
  readonly #hasData = Promise.withResolvers<void>()
  readonly #startedMs: number
  readonly #fail: (error: unknown) => void
  #source: TableSource | undefined
  readonly #alarms: AlarmBoard
  readonly #linesDropped: () => OutputDrops
  readonly #upkeep: Upkeep
  #listener: Listener | undefined

  private constructor(options: ReplicaOptions, lock: NodeLock) {
    const { config, kek, previousKeks = [], log, identity, acceptClock = false, host = systemHost } = options
    const { clock, entropy } = host
    const ring = [kek, ...previousKeks]
    const { data, cluster, region } = config
    const failed = Promise.withResolvers<unknown>()
    this.failed = failed.promise
    this.#fail = failed.resolve
    this.#options = options
    this.#host = host
    this.#guests = new GuestGate(clock)
    this.#turns = new CallTurns(clock)
    this.#startedMs = clock.monotonicMs()
    this.#lock = lock
    this.#alarms = new AlarmBoard(clock, log)
    this.#linesDropped = watchOutput(options.output, this.#alarms, log)
    this.#links = new PrimaryLinks({ config, identity, host, log, onAlarm: () => this.#alarms.refresh() })
    this.#peers = new PeerRegistry(config.peers, { openVerify: config.verify_open })
    const onRows: RowObserver = (place, stretch) => this.#rows.take(place, stretch)
    const savedAt = join(data, 'revocations.table')
    this.#tables = new Tables({ cluster, ring, entropy, timers: clock, log, savedAt, onRows })
    const onReopened = (source: TableSource | undefined): void => this.#reopened(source)
    const system = { clock, entropy, log }
    const installing: DatabaseCopyOptions['installing'] = (...install) => this.#denials.around(...install)
    this.#copy = new DatabaseCopy({ ...system, folder: data, cluster, onReopened, installing })
    this.#journal = new RevocationJournal(join(data, JOURNAL))
    this.#denials = this.#openDenials(savedAt)
    this.#signed = new SignedPositionStore(join(data, 'signed-position.json'), { log, timers: clock })
    this.#freshness = new Freshness({
      ...system,
      largestLease: new LargestLease(join(data, 'largest-lease.json')),
      issueClockMs: this.#tables.meta?.issueClockMs,
      acceptClock,
      applied: () => this.#enforced(),
      onSigned: (signed) => void this.#signed.take(signed, this.#tables.publicKey, cluster),
      onRenewed: () => this.#wakeWaiting(),
    })
    this.#stream = this.#openStream(ring)
    const judging = { node: identity.peerId, region, clock, tables: this.#tables, freshness: this.#freshness }
    this.#feed = new Feed({ ...judging, rows: this.#rows, enforced: () => this.#stream.enforced })
    this.#verify = new VerifyApi(judging)
    this.#guestVerify = new VerifyApi(judging)
    this.#follower = this.#openFollower()
    watchReplica(this.#alarms, { links: this.#links, tables: this.#tables, freshness: this.#freshness })
    this.#upkeep = this.#openUpkeep()
  }

  static async start(options: ReplicaOptions): Promise<Replica> {
    const { config, identity, log, host = systemHost } = options
    const { clock, entropy, transport } = host
    mkdirSync(config.data, { recursive: true, mode: 0o700 })
    const lock = lockFolder(config.data)
    await selfTest(config.data, entropy)
    const replica = new Replica(options, lock)
    replica.#listener = await listen({
      address: config.listen,
      identity,
      cluster: config.cluster,
      log,
      accept: (...claim) => replica.#accept(...claim),
      onConnection: (connection) => replica.#serve(connection),
      onRefusal: ({ remotePeer, channel, error }) =>
        log.debug({ remotePeer, channel, code: error.code }, 'peer refused'),
      clock,
      transport,
    })
    replica.#connect()
    replica.#alarms.start()
    return replica
  }

  get address(): string {
    return this.#listener?.address ?? ''
  }

  reload(): void {
    const { peers, verify_open: openVerify, ...rest } = this.#options.reread()
    this.#peers.replace(peers, { openVerify })
    const { peers: _, verify_open: __, ...inForce } = this.#options.config
    if (isDeepStrictEqual(rest, inForce)) return
    this.#options.log.warn(
      'of the configuration only `peers` and `verify_open` change at run time; the rest needs a restart',
    )
  }

  async stop(): Promise<void> {
    this.#alarms.stop()
    await Promise.all([this.#links.stop(), this.#listener?.close(), this.#upkeep.stop()])
    this.#feed.close()
    this.#freshness.close()
    await this.#signed.save()
    await this.#denials.stop()
    await this.#upkeep.saveTables()
    this.#copy.sync()
    this.#copy.close()
    this.#journal.close()
    this.#lock.release()
  }

  #openFollower(): Follower {
    const { config, log } = this.#options
    const { data, cluster } = config
    return new Follower({
      boot: this.#freshness.boot,
      copy: this.#copy,
      snapshotPath: join(data, 'snapshot.incoming'),
      clock: this.#host.clock,
      log,
      signed: () => this.#signed.newest,
      revocations: () => this.#stream.known,
      onSigned: (signed) => this.#signed.take(signed, this.#tables.publicKey, cluster),
      onApplied: () => this.#applied(),
      onDurable: () => {
        this.#stream.covered()
        this.#denials.durable()
      },
      onDiverged: (message) => this.#links.diverged('wal', message),
      onFatal: (error) => this.#fail(error),
    })
  }

  #openStream(ring: readonly Kek[]): RevocationStream {
    return new RevocationStream({
      tables: this.#tables,
      journal: this.#journal,
      clock: this.#host.clock,
      freshness: this.#freshness,
      workers: this.#freshness.workers,
      keks: ring.map(({ id }) => id),
      denials: this.#denials.file,
      syncPages: () => this.#copy.sync(),
      onRows: (place, stretch) => {
        this.#rows.take(place, stretch)
        this.#revoked()
      },
      onDiverged: (message) => this.#links.diverged('revocations', message),
      onFatal: (error) => this.#fail(error),
    })
  }

  #watchAudit(): AuditWatch {
    const { config, log } = this.#options
    const path = join(config.data, 'audit-checked.json')
    return new AuditWatch({ path, db: () => this.#source?.reader, timers: this.#host.clock, alarms: this.#alarms, log })
  }

  #openUpkeep(): Upkeep {
    const { config, log } = this.#options
    const host = this.#host
    return new Upkeep({
      config,
      alarms: this.#alarms,
      // While the time is in doubt nothing runs.
      host: {
        ...host,
        schedule: whileBelieved(host.schedule, () => this.#freshness.time(this.#freshness.now()).credible),
      },
      log,
      copy: this.#copy,
      tables: this.#tables,
      audit: this.#watchAudit(),
      freshness: this.#freshness,
      kept: () => this.#denials.kept(),
      onDamaged: () => this.#follower.damaged(),
      onFatal: (error) => this.#fail(error),
    })
  }

  #openDenials(savedTable: string): DenialsKeeper {
    const { config, log } = this.#options
    const { clock, entropy } = this.#host
    return new DenialsKeeper({
      folder: config.data,
      savedTable,
      journal: this.#journal,
      tables: this.#tables,
      source: () => this.#source,
      unwritten: () => this.#stream.unwritten,
      onChanged: () => this.#stream.denialsChanged(),
      onFatal: (error) => this.#fail(error),
      alarms: this.#alarms,
      timers: clock,
      entropy,
      log,
    })
  }

  /** One connection a purpose: revocations never queue behind pages. */
  #connect(): void {
    this.#links.open('wal', {
      hello: () => this.#follower.hello(),
      run: (connection, retire) => this.#follower.follow(connection, retire),
    })
    // Without a database nothing is verified, and the snapshot brings every revocation so far: the stream goes on from there.
    this.#links.open('revocations', {
      after: this.#hasData.promise,
      hello: () => this.#stream.hello(),
      run: (connection, retire) => this.#stream.follow(connection, retire),
    })
    this.#upkeep.start()
  }

  #accept(
    ...[peer, channel, hello, address]: Parameters<NonNullable<Parameters<typeof listen>[0]['accept']>>
  ): Acceptance {
    const admission = this.#peers.admit(peer, channel, address)
    if (!admission.ok) return admission
    if (channel === 'feed') return this.#feed.accept(hello)
    if (channel === 'verify' || channel === 'admin')
      return { ok: true, welcome: { region: this.#options.config.region } }
    const error = new MacaroondError('peer_refused', `this node is a replica: it has no ${channel} channel`, {
      hint: 'writes go to the primary',
    })
    return { ok: false, error: reportOf(error) }
  }

  async #serve(connection: Connection): Promise<void> {
    if (!this.#peers.track(connection)) return
    if (connection.channel === 'feed') return this.#feed.serve(connection)
    const [{ log }, { clock }] = [this.#options, this.#host]
    const isGuest = this.#peers.find(connection.remotePeer) === undefined
    const inTurn = this.#turns.of(isGuest ? GUESTS : connection.remotePeer)
    if (connection.channel !== 'verify')
      return serveRpc(connection, { methods: adminCalls(connection, this.#adminSources), clock, log, inTurn }).done
    const options = { tellsAge: understands(connection.hello, KNOWS_AGE) }
    const methods = isGuest ? this.#guests.guarded(callsOf(this.#guestVerify, options)) : callsOf(this.#verify, options)
    const inFlightMax = isGuest ? GUEST_REQUESTS_IN_FLIGHT_MAX : REQUESTS_IN_FLIGHT_MAX
    await serveRpc(connection, { methods, clock, log, inTurn, inFlightMax }).done
  }

  /** A ring that opens nothing will open nothing later either: a wrong KEK is for the operator, not for a reconnect. */
  #reopened(source: TableSource | undefined): void {
    try {
      this.#source = source
      this.#tables.attach(source)
      if (source !== undefined) this.#hasData.resolve()
    } catch (error) {
      this.#fail(error)
      throw error
    }
  }

  /** What a lease counts for. */
  #enforced(): Applied {
    const { timeline, seq = 0 } = this.#stream.enforced ?? {}
    const { meta } = this.#tables
    return { timeline, seq, pages: meta === undefined ? undefined : { timeline: meta.timeline, txid: meta.txid } }
  }

  #wakeWaiting(): void {
    this.#verify.applied()
    this.#guestVerify.applied()
  }

  #applied(): void {
    try {
      this.#tables.refresh()
    } catch (error) {
      // Without its tables this replica would go on with old keys and say nothing: better no replica.
      return this.#fail(sqliteError(error, `reading ${this.#options.config.data}`))
    }
    this.#freshness.applied()
    this.#revoked()
    this.#upkeep.applied()
  }

  /** Workers that wait for revocations, and verifications that wait for a state, may go on. */
  #revoked(): void {
    this.#feed.notify()
    this.#wakeWaiting()
  }

  get #adminSources(): AdminSources {
    const journal = { path: join(this.#options.config.data, JOURNAL), generation: this.#journal.generation }
    const [source, standing, denials] = [this.#source, this.#copy.standing, this.#denials.file]
    const known = { source, standing, denials, journal }
    return { allowance: this.#allowance, status: () => this.status, known: () => known, signed: this.#signed }
  }

  get status(): ReturnType<typeof replicaStatus> {
    return replicaStatus({
      config: this.#options.config,
      peerId: this.#options.identity.peerId,
      uptimeMs: this.#host.clock.monotonicMs() - this.#startedMs,
      copy: this.#copy,
      tables: this.#tables,
      denials: this.#denials.file,
      links: this.#links,
      freshness: this.#freshness,
      alarms: this.#alarms.list,
      linesDropped: this.#linesDropped(),
    })
  }
}

function callsOf(api: VerifyApi, options: AnswerOptions): Record<string, RpcMethod> {
  return { verify: (value) => api.verify(value, options), explain: (value) => api.explain(value) }
}
