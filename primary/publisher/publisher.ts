/**
 * Serves the replicas: judges each hello, runs the sessions, records what each replica has acknowledged, and sends the signed
 * position. A replica has at most one session of each kind. A slow replica delays nobody, because each session reads the log at
 * its own pace.
 */
import type { Connection } from '../../shared/channel/connection.ts'
import type { CallOff, Clock, Timers } from '../../shared/clock.ts'
import type { Acceptance } from '../../shared/channel/inbound.ts'
import type { JsonObject } from '../../shared/channel/json.ts'
import type { SigningKey } from '../../shared/database/signing-key.ts'
import { assert, MacaroondError, reportOf } from '../../shared/errors.ts'
import type { Timeline } from '../../shared/ids.ts'
import type { Log } from '../../shared/log.ts'
import { positionText, type Position } from '../../shared/position.ts'
import type { ReportedDenials } from '../../shared/protocol/denials.ts'
import { revocationsHello, type RevocationsHello } from '../../shared/protocol/revocations.ts'
import type { CommitLog } from '../commit-log/commit-log.ts'
import type { GrantedState, Granting } from '../freshness/granting.ts'
import type { ProvenPosition, SignedPosition } from '../../shared/protocol/signed-position.ts'
import { Acknowledgements } from './acknowledgements.ts'
import { revocationsMissing, type Assessment } from './assess.ts'
import { PositionSigner, SIGN_EVERY_MS } from './position-signer.ts'
import { RevocationSession, type RevocationSource } from './revocation-session.ts'
import type { SnapshotFiles } from './snapshot-files.ts'
import { DUPLICATE_MESSAGE, duplicateReplica, ReplicaBoots } from './replica-boots.ts'
import { judgeHello, readWalHello } from './judge-hello.ts'
import { WalSession, type HistorySource } from './wal-session.ts'

export interface PublisherOptions {
  readonly cluster: string
  readonly log: CommitLog
  readonly revocations: Pick<RevocationSource, 'after'>
  readonly lastRevocation: () => number
  readonly signingKey: SigningKey
  readonly snapshots: SnapshotFiles
  /**
   * Timelines of earlier epochs. A replica that follows one does not contradict this primary, but its revocation number does
   * not count here.
   */
  readonly earlierTimelines: ReadonlySet<string>
  readonly granting: Granting
  readonly clock: Pick<Clock, 'monotonicMs'> & Timers
  readonly logger: Log
}

export interface PublisherEvents {
  /** A replica with a position in our history has connected. `atHead`: its position is the primary's. */
  readonly joined: (replica: string, atHead: boolean) => void
  /** A replica has pages of this epoch on its disk. */
  readonly acknowledged: (replica: string) => void
  /** A replica was refused: its claim is not in our history and not signed, or two processes use its identity. */
  readonly refused: (replica: string, message: string) => void
  /** A replica reports its denials. */
  readonly denials: (replica: string, report: ReportedDenials) => void
  /** Proof that this primary's disk is old. */
  readonly contradicted: (error: MacaroondError) => void
}

export interface ReplicaProgress {
  readonly name: string
  readonly wal: boolean
  readonly revocations: boolean
  /** The position that the replica has durably applied. */
  readonly acknowledged: Position | undefined
  readonly revocationSeq: number | undefined
}

/** The two channels that a replica follows. */
export type StreamKind = 'wal' | 'revocations'

interface Session {
  /** Resolves or rejects when the connection ends. */
  readonly run: () => Promise<void>
  /** Wakes the session after a commit. */
  readonly notify: () => void
  readonly end: (error: MacaroondError) => void
  /** Sends the newest signed position. Only `wal` sessions have this. */
  readonly sendPosition?: (signed: SignedPosition) => void
}

/** Everything known of one replica since this primary started. */
interface ReplicaRecord {
  readonly boots: ReplicaBoots
  readonly sessions: Map<StreamKind, Session>
  /** The position that it has durably applied. */
  position: Position | undefined
  /** Ids of the key-encryption keys that its last hello named. */
  keks: readonly string[]
}

/** The judgement of a hello: the boot that it names, the welcome, and the reason if the replica is refused. */
interface Verdict {
  readonly boot: string
  readonly refusal?: string
  /** True if the refusal proves that this primary's own disk is old. */
  readonly contradicts?: boolean
  readonly welcome: JsonObject
}

export class Publisher {
  readonly #options: PublisherOptions
  readonly #source: HistorySource
  readonly #replicas = new Map<string, ReplicaRecord>()
  readonly #signer: PositionSigner
  readonly acknowledgements: Acknowledgements = new Acknowledgements()
  #callbacks: PublisherEvents | undefined
  #signing: CallOff | undefined

  constructor(options: PublisherOptions) {
    this.#options = options
    const { cluster, log, snapshots, signingKey, clock } = options
    const present = (): ProvenPosition => ({ position: log.head, timeline: log.timeline })
    this.#signer = new PositionSigner({ cluster, key: signingKey.privateKey, clock, present })
    this.#source = {
      timeline: log.timeline,
      head: () => log.head,
      segment: (txid) => log.segment(txid),
      snapshot: () => snapshots.open(),
    }
  }

  /** Sets the callbacks. Call it once, before the first replica connects. */
  connect(events: PublisherEvents): void {
    assert(this.#callbacks === undefined, 'a publisher is connected once')
    this.#callbacks = events
  }

  /** Judges a hello before the connection is accepted. Reports a refusal to the callbacks. */
  accept(kind: StreamKind, replica: string, hello: JsonObject): Acceptance {
    const events = this.#events
    const {
      boot,
      refusal,
      contradicts = false,
      welcome,
    } = kind === 'wal' ? this.#judgeWal(hello) : this.#judgeRevocations(hello)
    if (this.#recordOf(replica).boots.isDuplicate(boot)) {
      events.refused(replica, DUPLICATE_MESSAGE)
      return { ok: false, error: reportOf(duplicateReplica(replica)) }
    }
    if (refusal === undefined) return { ok: true, welcome }
    const error = contradiction(replica, refusal)
    if (contradicts) events.contradicted(error)
    else events.refused(replica, refusal)
    return { ok: false, error: reportOf(error) }
  }

  /** Runs a session until its connection ends. */
  async serve(kind: StreamKind, replica: string, connection: Connection): Promise<void> {
    const session =
      kind === 'wal' ? this.#walSession(replica, connection) : this.#revocationSession(replica, connection)
    if (session === undefined) {
      return connection.abort(
        new MacaroondError('position_diverged', 'the replica’s position is no longer in this primary’s history'),
      )
    }
    const { sessions, boots } = this.#recordOf(replica)
    this.#supersede(replica, sessions.get(kind))
    sessions.set(kind, session)
    session.sendPosition?.(this.#signer.current())
    const leave = boots.enter(bootOf(kind, connection.hello))
    await this.#follow(replica, connection, () => session.run())
    leave()
    if (sessions.get(kind) === session) sessions.delete(kind)
  }

  /** Called after each commit. Wakes the `revocations` sessions first, so that revocations travel ahead of pages. */
  committed(): void {
    this.#each('revocations', (session) => session.notify())
    this.#each('wal', (session) => session.notify())
    this.#signing ??= this.#options.clock.after(SIGN_EVERY_MS, () => this.#sendPositions())
  }

  status(replica: string): ReplicaProgress {
    const record = this.#replicas.get(replica)
    return {
      name: replica,
      wal: record?.sessions.has('wal') === true,
      revocations: record?.sessions.has('revocations') === true,
      acknowledged: record?.position,
      revocationSeq: this.acknowledgements.of(replica),
    }
  }

  /** True if the replica's last hello named this key-encryption key. */
  hasKek(replica: string, kekId: string): boolean {
    return this.#replicas.get(replica)?.keks.includes(kekId) === true
  }

  close(): void {
    this.#signing?.()
  }

  get #events(): PublisherEvents {
    assert(this.#callbacks !== undefined, 'no replica is served before the publisher is connected')
    return this.#callbacks
  }

  #recordOf(replica: string): ReplicaRecord {
    const known = this.#replicas.get(replica)
    if (known !== undefined) return known
    const record = {
      boots: new ReplicaBoots(),
      sessions: new Map<StreamKind, Session>(),
      position: undefined,
      keks: [],
    }
    this.#replicas.set(replica, record)
    return record
  }

  #each(kind: StreamKind, use: (session: Session) => void): void {
    for (const { sessions } of this.#replicas.values()) {
      const session = sessions.get(kind)
      if (session !== undefined) use(session)
    }
  }

  #judgeWal(hello: JsonObject): Verdict {
    const { boot } = readWalHello(hello)
    const assessment = this.#assess(hello)
    const welcome = { position: positionText(this.#source.head()), timeline: this.#source.timeline }
    if (assessment.kind === 'resume' || assessment.kind === 'snapshot') return { boot, welcome }
    return { boot, welcome, refusal: assessment.message, contradicts: assessment.kind === 'stop' }
  }

  /** A replica contradicts this primary if it has a higher number of this timeline, or follows an unknown timeline. */
  #judgeRevocations(hello: JsonObject): Verdict {
    const { log, lastRevocation, earlierTimelines, granting } = this.#options
    const { timeline, seq, boot, denials } = readRevocationsHello(hello)
    const last = lastRevocation()
    const foreign = timeline !== null && timeline !== log.timeline && !earlierTimelines.has(timeline)
    const refusal = foreign
      ? `it follows timeline ${timeline}, not ${log.timeline}`
      : revocationsMissing({ timeline: log.timeline, revocationSeq: last }, { timeline: timeline as Timeline, seq })
    const { timeline: line, head } = log
    const asks = denials === undefined ? {} : { denials: true }
    const welcome = { timeline: line, epoch: head.epoch, seq: last, ...granting.welcome(), ...asks }
    return { boot, welcome, ...(refusal === undefined ? {} : { refusal }) }
  }

  /** Undefined if the position no longer fits. */
  #walSession(replica: string, connection: Connection): Session | undefined {
    const assessment = this.#assess(connection.hello)
    if (assessment.kind !== 'resume' && assessment.kind !== 'snapshot') return undefined
    const resumes = assessment.kind === 'resume'
    this.#events.joined(replica, resumes && assessment.after === this.#source.head().txid)
    const onAck = (position: Position): void => this.#acknowledge(replica, position)
    const options = { connection, source: this.#source, onAck, clock: this.#options.clock }
    return new WalSession(options, resumes ? assessment.after : 'snapshot')
  }

  #revocationSession(replica: string, connection: Connection): Session {
    const hello = readRevocationsHello(connection.hello)
    const { revocations, lastRevocation, log, granting, clock } = this.#options
    const holder = { peer: replica, boot: hello.boot }
    this.#recordOf(replica).keks = hello.keks
    return new RevocationSession({
      connection,
      source: { last: lastRevocation, after: (seq, limit) => revocations.after(seq, limit) },
      // A number of another timeline does not count here, so the replica gets all rows. A row that it already has does no
      // harm.
      start: hello.timeline === log.timeline ? hello.seq : 0,
      // Only an acknowledgement proves that the replica has it on disk; the number in the hello does not.
      onAck: (seq) => this.acknowledgements.acknowledge(replica, seq),
      clock,
      onCovered: (seq) => granting.book.acknowledge(holder, { epoch: log.head.epoch, seq }),
      onDenials: (report) => this.#events.denials(replica, report),
      grant: (ping) => granting.answer(holder, ping, this.#grantedState()),
    })
  }

  #assess(hello: JsonObject): Assessment {
    const { cluster, log, signingKey } = this.#options
    const history = {
      position: log.head,
      timeline: log.timeline,
      checksumAt: log.checksumAt.bind(log),
      revocationSeq: this.#options.lastRevocation(),
    }
    return judgeHello(hello, { cluster, publicKey: signingKey.publicKey, history })
  }

  #acknowledge(replica: string, position: Position): void {
    const { log } = this.#options
    const checksum = log.checksumAt(position.txid)
    // The log no longer reaches this position, so it cannot be compared. It is no violation either: it was in our history when
    // it was sent.
    if (checksum === undefined && position.epoch === log.head.epoch && position.txid < log.head.txid) return
    if (position.epoch !== log.head.epoch || checksum !== position.checksum) {
      throw new MacaroondError(
        'protocol_violation',
        `${replica} acknowledges ${positionText(position)}, which is not in this primary’s history`,
      )
    }
    this.#recordOf(replica).position = position
    this.#events.acknowledged(replica)
  }

  #grantedState(): GrantedState {
    const { log, lastRevocation } = this.#options
    const { head, timeline } = log
    return { head, timeline, seq: lastRevocation(), signed: this.#signer.current() }
  }

  #sendPositions(): void {
    this.#signing = undefined
    const signed = this.#signer.current(0)
    this.#each('wal', (session) => session.sendPosition?.(signed))
  }

  /**
   * A second connection of one kind means that the first is dead, or that two machines share one identity. The newer one stays.
   */
  #supersede(replica: string, session: Session | undefined): void {
    if (session === undefined) return
    this.#options.logger.warn({ replica }, 'a second connection of this replica replaces its first')
    session.end(new MacaroondError('closed', 'another connection of this replica has replaced this one'))
  }

  /** Runs a session to its end. An error is logged and not thrown, because the replica connects again. */
  async #follow(replica: string, connection: Connection, run: () => Promise<void>): Promise<void> {
    const { logger } = this.#options
    const { channel } = connection
    logger.info({ replica, channel, peer: connection.remotePeer }, 'replica connected')
    try {
      await run()
      await connection.close()
      logger.info({ replica, channel }, 'replica disconnected')
    } catch (error) {
      connection.abort(error instanceof Error ? error : new Error(String(error)))
      logger.warn({ replica, channel, error: reportOf(error) }, 'replica session ended')
    }
  }
}

function readRevocationsHello(hello: JsonObject): RevocationsHello {
  const parsed = revocationsHello.safeParse(hello)
  if (parsed.success) return parsed.data
  throw new MacaroondError('protocol_violation', 'the hello on the `revocations` channel is malformed')
}

function bootOf(kind: StreamKind, hello: JsonObject): string {
  return kind === 'wal' ? readWalHello(hello).boot : readRevocationsHello(hello).boot
}

function contradiction(replica: string, message: string): MacaroondError {
  return new MacaroondError('position_diverged', `replica ${replica} contradicts this primary: ${message}`, {
    hint: 'one of the two disks is an older copy, was made with `.backup` or VACUUM INTO, or belongs to another history; find out which before you delete either',
  })
}
