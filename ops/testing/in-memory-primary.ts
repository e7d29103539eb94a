/** The primary of a test: the authority with its API, on a database in memory. It has no segments, archive or network. */
import { type Calls, openCalls } from '../../primary/api/open-calls.ts'
import { signMethods } from '../../primary/api/serve.ts'
import type { GroupWriter } from '../../primary/commit-log/group-writer.ts'
import { Durability } from '../../primary/durability/durability.ts'
import { AuthorityClock } from '../../primary/freshness/authority-clock.ts'
import { Granting } from '../../primary/freshness/granting.ts'
import { RecentRevocations } from '../../primary/publisher/recent-revocations.ts'
import { createAuthorityDatabase } from '../../primary/store/create-database.ts'
import { openGroupWriter } from '../../primary/store/open-writer.ts'
import type { KnownPeer } from '../../shared/channel/peers.ts'
import type { RpcMethod } from '../../shared/channel/rpc-server.ts'
import { type Entropy, withWallTime } from '../../shared/clock.ts'
import { MetaReader } from '../../shared/database/meta.ts'
import { RevocationLog } from '../../shared/database/revocation-log.ts'
import { readSigningKey, type SigningKey } from '../../shared/database/signing-key.ts'
import { FRESHNESS_DEFAULTS } from '../../shared/freshness/bound.ts'
import type { Checksum } from '../../shared/ids.ts'
import { SERVICE_TTL_SECONDS_MAX } from '../../shared/limits.ts'
import type { Position } from '../../shared/position.ts'
import type { FromStream, Granted, RevocationsWelcome } from '../../shared/protocol/revocations.ts'
import { signPosition } from '../../shared/protocol/signed-position.ts'
import type { Kek } from '../../shared/sealing.ts'
import { type Database, openInMemory } from '../../shared/sqlite/open-database.ts'
import type { ManualClock } from './manual-clock.ts'

export interface InMemoryPrimaryOptions {
  readonly cluster: string
  readonly kek: Kek
  readonly clock: ManualClock
  readonly entropy: Entropy
  /** The only replica. */
  readonly replica: KnownPeer
  /** Called after each commit, before its caller is answered. */
  readonly onCommitted: () => void
}

/** No file has a checksum of its pages, so every position has this one. */
const NO_CHECKSUM = 0n as Checksum

export class InMemoryPrimary {
  readonly db: Database
  readonly #options: InMemoryPrimaryOptions
  readonly #meta: MetaReader
  readonly #clock: AuthorityClock
  readonly #granting: Granting
  readonly #signingKey: SigningKey
  /** The longest lease that may be granted. No earlier process has granted any. */
  #leaseMsMax = 0
  readonly #calls: Calls

  constructor(options: InMemoryPrimaryOptions) {
    const { clock, kek, cluster } = options
    this.#options = options
    this.db = openInMemory()
    createAuthorityDatabase(this.db, options)
    this.#meta = new MetaReader(this.db)
    const { issueClockMs } = this.#meta.read()
    this.#clock = new AuthorityClock({ clock, issueClockMs, acceptClock: true, hasReplicas: false })
    this.#signingKey = readSigningKey(this.db, [kek], cluster)
    this.#granting = this.#openGranting()
    this.#leaseMsMax = FRESHNESS_DEFAULTS.lease_ms
    this.#calls = this.#openCalls(this.#openWriter())
  }

  /** The calls of the `sign` channel for one peer. */
  methodsOf(peer: KnownPeer): Record<string, RpcMethod> {
    return signMethods({ ...this.#calls, peer })
  }

  welcome(): RevocationsWelcome {
    const { epoch, timeline, revocationSeq: seq } = this.#meta.read()
    return { epoch, timeline, seq, ...this.#granting.welcome() }
  }

  /** Answers a ping of the replica. `boot` is that of the replica. */
  answer(boot: string, ping: Extract<FromStream, { t: 'ping' }>): Granted {
    const { epoch, txid, timeline, revocationSeq: seq } = this.#meta.read()
    const head = { epoch, txid, checksum: NO_CHECKSUM }
    const proven = { position: head, timeline }
    const signed = signPosition(this.#signingKey.privateKey, this.#options.cluster, proven)
    return this.#granting.answer({ peer: this.#options.replica.id, boot }, ping, { head, timeline, seq, signed })
  }

  /** The replica and its workers have applied everything. `boot` is that of the replica. */
  acknowledge(boot: string): void {
    const { epoch, revocationSeq: seq } = this.#meta.read()
    this.#granting.book.acknowledge({ peer: this.#options.replica.id, boot }, { epoch, seq })
  }

  close(): void {
    this.#clock.close()
    this.#granting.close()
    this.db.close()
  }

  #openGranting(): Granting {
    const { clock, entropy } = this.#options
    return new Granting({
      settings: FRESHNESS_DEFAULTS,
      clock,
      authorityClock: this.#clock,
      entropy,
      leaseMsMax: () => this.#leaseMsMax,
      mayGrant: () => true,
    })
  }

  #openWriter(): GroupWriter {
    const { kek, clock, entropy, onCommitted } = this.#options
    const { db } = this
    const captureCommit = (): Position => {
      onCommitted()
      const { epoch, txid } = this.#meta.read()
      return { epoch, txid, checksum: NO_CHECKSUM }
    }
    const positionAt = (at: Pick<Position, 'epoch' | 'txid'>): Position => ({ ...at, checksum: NO_CHECKSUM })
    const writer = openGroupWriter({
      commitLog: { db, captureCommit, positionAt },
      revocations: new RecentRevocations(new RevocationLog(db)),
      ring: [kek],
      clock: clock.prompt,
      entropy,
      onFatal: (error) => {
        throw error
      },
    })
    const nothing = (): undefined => undefined
    writer.open({ moment: () => this.#clock.moment, gate: nothing, onAttempt: nothing })
    return writer
  }

  #openCalls(writer: GroupWriter): Calls {
    const { clock, replica } = this.#options
    return openCalls({
      writer,
      commitLog: { db: this.db },
      publisher: { hasKek: () => true },
      granting: this.#granting,
      durability: durabilityOf(clock),
      // No database was ever restored, so no revocation is undone.
      adoption: { waiting: [], counts: new Map(), reassess: () => undefined },
      serviceTtlSecondsMax: SERVICE_TTL_SECONDS_MAX,
      clock: withWallTime(clock, () => this.#clock.moment.nowMs),
      replicas: () => [replica],
    })
  }
}

/** The replica has every revocation when its transaction is committed, so it has acknowledged each one. */
function durabilityOf(clock: ManualClock): Durability {
  const acknowledged = (_seq: number, resolve: () => void): (() => void) => {
    resolve()
    return () => undefined
  }
  const settings = { revocations: 'replica', degraded: false } as const
  return new Durability({ settings, hasReplicas: () => true, acknowledged, archived: acknowledged, clock })
}
