/** All replicas of this primary: their sessions, what they have acknowledged, and the signed position they are told. */
import type { Connection } from '../../shared/channel/connection.ts'
import type { CallOff, Clock, Timers } from '../../shared/clock.ts'
import type { Acceptance } from '../../shared/channel/inbound.ts'
import type { JsonObject } from '../../shared/channel/json.ts'
import type { SigningKey } from '../../shared/database/signing-key.ts'
import { MacaroondError, reportOf } from '../../shared/errors.ts'
import type { Timeline } from '../../shared/ids.ts'
import type { Log } from '../../shared/log.ts'
import { positionText, type Position } from '../../shared/position.ts'
import type { ToldDenials } from '../../shared/protocol/denials.ts'
import { revocationsHello, type RevocationsHello } from '../../shared/protocol/revocations.ts'
import type { CommitLog } from '../commit-log/commit-log.ts'
import type { GrantedState, Granting } from '../freshness/granting.ts'
import type { ProvenPosition } from '../../shared/protocol/signed-position.ts'
import { Acknowledgements } from './acknowledgements.ts'
import { revocationsMissing, type Assessment } from './assess.ts'
import { PositionSigner, SIGN_EVERY_MS } from './position-signer.ts'
import { RevocationSession, type RevocationSource } from './revocation-session.ts'
import type { SnapshotFiles } from './snapshot-files.ts'
import { BESIDE, Lives, livesBeside } from './lives.ts'
import { judgeHello, readWalHello } from './standing.ts'
import { WalSession, type HistorySource } from './wal-session.ts'

export interface PublisherOptions {
  readonly cluster: string
  readonly log: CommitLog
  readonly revocations: Pick<RevocationSource, 'after'>
  readonly lastRevocation: () => number
  readonly signingKey: SigningKey
  readonly snapshots: SnapshotFiles
  /** Timelines of this authority's earlier epochs: their revocation numbers mean nothing now, but they are no contradiction. */
  readonly earlierTimelines: ReadonlySet<string>
  readonly granting: Granting
  readonly clock: Pick<Clock, 'monotonicMs'> & Timers
  readonly logger: Log
  readonly events: PublisherEvents
}

export interface PublisherEvents {
  /** A replica that fits has connected; `atHead`: it stands where this primary does. */
  readonly joined: (replica: string, atHead: boolean) => void
  /** A replica has pages of this epoch on its disk. */
  readonly acknowledged: (replica: string) => void
  /** A replica's claim was not part of our history, and not proven. */
  readonly refused: (replica: string, message: string) => void
  /** A replica tells what it refuses by of undone histories. */
  readonly denials: (replica: string, told: ToldDenials) => void
  /** Proof that this primary's disk is old. */
  readonly contradicted: (error: MacaroondError) => void
}

export interface ReplicaStatus {
  readonly name: string
  readonly wal: boolean
  readonly revocations: boolean
  /** What the replica has durably applied. */
  readonly acknowledged: Position | undefined
  readonly revocationSeq: number | undefined
}

export class Publisher {
  readonly #options: PublisherOptions
  readonly #source: HistorySource
  readonly #lives = new Lives()
  readonly #wal = new Map<string, WalSession>()
  readonly #revocations = new Map<string, RevocationSession>()
  readonly #positions = new Map<string, Position>()
  /** Of each replica's last hello. */
  readonly #keks = new Map<string, readonly string[]>()
  readonly #signer: PositionSigner
  readonly acknowledgements: Acknowledgements = new Acknowledgements()
  #signing: CallOff | undefined

  constructor(options: PublisherOptions) {
    this.#options = options
    const { cluster, log, snapshots, signingKey, clock } = options
    const stand = (): ProvenPosition => ({ position: log.head, timeline: log.timeline })
    this.#signer = new PositionSigner({ cluster, key: signingKey.privateKey, clock, stand })
    this.#source = {
      timeline: log.timeline,
      head: () => log.head,
      segment: (txid) => log.segment(txid),
      snapshot: () => snapshots.open(),
    }
  }

  /** Before the connection exists: may this replica follow from where it stands? */
  acceptWal(replica: string, hello: JsonObject): Acceptance {
    const { boot } = readWalHello(hello)
    if (this.#lives.isBeside(replica, boot)) return this.#beside(replica)
    const assessment = this.#judge(hello)
    if (assessment.kind === 'resume' || assessment.kind === 'snapshot') {
      return { ok: true, welcome: { position: positionText(this.#source.head()), timeline: this.#source.timeline } }
    }
    const error = contradiction(replica, assessment.message)
    if (assessment.kind === 'stop') this.#options.events.contradicted(error)
    else this.#options.events.refused(replica, assessment.message)
    return { ok: false, error: reportOf(error) }
  }

  /** Numbers of this timeline beyond our own, or of a history we never had, are as much of a contradiction as a position is. */
  acceptRevocations(replica: string, hello: JsonObject): Acceptance {
    const { log, lastRevocation, earlierTimelines, events, granting } = this.#options
    const { timeline, seq, boot, denials } = readRevocationsHello(hello)
    if (this.#lives.isBeside(replica, boot)) return this.#beside(replica)
    const last = lastRevocation()
    const foreign = timeline !== null && timeline !== log.timeline && !earlierTimelines.has(timeline)
    const message = foreign
      ? `it follows timeline ${timeline}, not ${log.timeline}`
      : revocationsMissing({ timeline: log.timeline, revocationSeq: last }, { timeline: timeline as Timeline, seq })
    if (message === undefined) {
      const { timeline: line, head } = log
      const asks = denials === undefined ? {} : { denials: true }
      return { ok: true, welcome: { timeline: line, epoch: head.epoch, seq: last, ...granting.welcome(), ...asks } }
    }
    events.refused(replica, message)
    return { ok: false, error: reportOf(contradiction(replica, message)) }
  }

  #beside(replica: string): Acceptance {
    this.#options.events.refused(replica, BESIDE)
    return { ok: false, error: reportOf(livesBeside(replica)) }
  }

  async serveWal(replica: string, connection: Connection): Promise<void> {
    const assessment = this.#judge(connection.hello)
    if (assessment.kind !== 'resume' && assessment.kind !== 'snapshot') {
      return connection.abort(new MacaroondError('position_diverged', 'the position no longer fits'))
    }
    const resumes = assessment.kind === 'resume'
    this.#options.events.joined(replica, resumes && assessment.after === this.#source.head().txid)
    const onAck = (position: Position): void => this.#acknowledge(replica, position)
    const { clock } = this.#options
    const session = new WalSession(
      { connection, source: this.#source, onAck, clock },
      resumes ? assessment.after : 'snapshot',
    )
    this.#supersede(replica, this.#wal.get(replica))
    this.#wal.set(replica, session)
    session.state(this.#signer.current())
    const leave = this.#lives.enter(replica, readWalHello(connection.hello).boot)
    await this.#follow(replica, connection, () => session.run())
    leave()
    if (this.#wal.get(replica) === session) this.#wal.delete(replica)
  }

  async serveRevocations(replica: string, connection: Connection): Promise<void> {
    const hello = readRevocationsHello(connection.hello)
    const { revocations, lastRevocation, log, granting, clock } = this.#options
    const holder = { peer: replica, boot: hello.boot }
    this.#keks.set(replica, hello.keks)
    // Numbers of an earlier timeline mean nothing here: that replica gets everything, which only repeats denials.
    const start = hello.timeline === log.timeline ? hello.seq : 0
    // What the hello names need not be on the replica's disk: only what it acknowledges is.
    const onAck = (seq: number): void => this.acknowledgements.acknowledge(replica, seq)
    const source = { last: lastRevocation, after: (seq: number, limit: number) => revocations.after(seq, limit) }
    const session = new RevocationSession({
      connection,
      source,
      start,
      onAck,
      clock,
      onCovered: (seq) => granting.book.acknowledge(holder, { epoch: log.head.epoch, seq }),
      onDenials: (told) => this.#options.events.denials(replica, told),
      grant: (ping) => granting.answer(holder, ping, this.#state()),
    })
    this.#supersede(replica, this.#revocations.get(replica))
    this.#revocations.set(replica, session)
    const leave = this.#lives.enter(replica, hello.boot)
    await this.#follow(replica, connection, () => session.run())
    leave()
    if (this.#revocations.get(replica) === session) this.#revocations.delete(replica)
  }

  /** Revocations go first: their sessions are woken, and write, before the pages do. */
  committed(): void {
    for (const session of this.#revocations.values()) session.notify()
    for (const session of this.#wal.values()) session.notify()
    this.#signing ??= this.#options.clock.after(SIGN_EVERY_MS, () => this.#statePosition())
  }

  status(replica: string): ReplicaStatus {
    return {
      name: replica,
      wal: this.#wal.has(replica),
      revocations: this.#revocations.has(replica),
      acknowledged: this.#positions.get(replica),
      revocationSeq: this.acknowledgements.of(replica),
    }
  }

  /** Whether this replica has shown that it can open what this key-encryption key seals. */
  hasKek(replica: string, kekId: string): boolean {
    return this.#keks.get(replica)?.includes(kekId) === true
  }

  close(): void {
    this.#signing?.()
  }

  #judge(hello: JsonObject): Assessment {
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
    // Where the log does not reach back to any more, nobody can say: it was ours when it was sent.
    if (checksum === undefined && position.epoch === log.head.epoch && position.txid < log.head.txid) return
    if (position.epoch !== log.head.epoch || checksum !== position.checksum) {
      throw new MacaroondError(
        'protocol_violation',
        `${replica} acknowledges ${positionText(position)}, which is not ours`,
      )
    }
    this.#positions.set(replica, position)
    this.#options.events.acknowledged(replica)
  }

  #state(): GrantedState {
    const { log, lastRevocation } = this.#options
    const { head, timeline } = log
    return { head, timeline, seq: lastRevocation(), signed: this.#signer.current() }
  }

  #statePosition(): void {
    this.#signing = undefined
    const signed = this.#signer.current(0)
    for (const session of this.#wal.values()) session.state(signed)
  }

  /** One connection a purpose: a second one means that the first is dead, or that two machines have one identity. */
  #supersede(replica: string, session: { readonly end: (error: MacaroondError) => void } | undefined): void {
    if (session === undefined) return
    this.#options.logger.warn({ replica }, 'a second connection of this replica takes the place of its first')
    session.end(new MacaroondError('closed', 'another connection of this replica has taken the place of this one'))
  }

  /** A session's end is nobody's crash: it is logged, and the replica comes again. */
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
  throw new MacaroondError('protocol_violation', 'a hello without a place in the revocations')
}

function contradiction(replica: string, message: string): MacaroondError {
  return new MacaroondError('position_diverged', `replica ${replica} contradicts this primary: ${message}`, {
    hint: 'one of the two disks was put back to an older copy, or belongs to another history; find out which before you delete either',
  })
}
