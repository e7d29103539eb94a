/**
 * The replica as a service: start, reload, status, stop. Data flows one way: channel → follower → copy → tables → verifier →
 * worker.
 */
import { mkdirSync } from 'node:fs'
import type { Listener } from '../shared/channel/listen.ts'
import type { ReloadResult } from '../shared/protocol/reload.ts'
import type { ReplicaStatus } from '../shared/protocol/status.ts'
import { systemHost } from '../shared/service/host.ts'
import { listenAsNode } from '../shared/service/node-listener.ts'
import { differingKeys, reloadNode } from '../shared/service/reload.ts'
import type { Service } from '../shared/service/run-service.ts'
import { lockFolder } from '../shared/sqlite/node-lock.ts'
import { selfTest } from '../shared/sqlite/self-test.ts'
import { ReplicaAdmission } from './admission.ts'
import { watchReplica } from './alarms.ts'
import { assembleReplica, type ReplicaParts } from './assembly.ts'
import { fileIn } from './foundation.ts'
import type { ReplicaOptions } from './options.ts'
import type { KnownSources } from './revocations/known.ts'
import { replicaStatus } from './status.ts'

export class Replica implements Service {
  readonly failed: Promise<unknown>
  readonly #parts: ReplicaParts
  readonly #listener: Listener

  private constructor(parts: ReplicaParts, listener: Listener) {
    this.#parts = parts
    this.#listener = listener
    this.failed = parts.failed
  }

  static async start(options: ReplicaOptions): Promise<Replica> {
    const { config, host = systemHost } = options
    mkdirSync(config.data, { recursive: true, mode: 0o700 })
    const lock = lockFolder(config.data)
    await selfTest(config.data, host.entropy)
    const parts = assembleReplica(options, lock)
    const { alarms, upkeep, follower } = parts
    watchReplica(alarms, parts)
    const replica = new Replica(parts, await listenAsNode(openAdmission(parts), options, host))
    openLinks(parts)
    upkeep.start(() => follower.damaged())
    alarms.start()
    return replica
  }

  get address(): string {
    return this.#listener.address
  }

  get status(): ReplicaStatus {
    return statusOf(this.#parts)
  }

  reload(): ReloadResult {
    return reloadReplica(this.#parts)
  }

  async stop(): Promise<void> {
    const { alarms, links, upkeep, feed, freshness, signed, keeper, copy, journal, lock } = this.#parts
    alarms.stop()
    await Promise.all([links.stop(), this.#listener.close(), upkeep.stop()])
    feed.close()
    freshness.close()
    await signed.save()
    await keeper.stop()
    await upkeep.saveTables()
    copy.sync()
    copy.close()
    journal.close()
    lock.release()
  }
}

/** Opens one connection for each purpose, so that revocations never wait behind pages. */
function openLinks({ links, follower, stream, hasData }: ReplicaParts): void {
  links.open('wal', {
    hello: () => follower.hello(),
    run: (connection, retire) => follower.follow(connection, retire),
  })
  // Without a database this replica judges nothing, and the first snapshot contains all revocations: the stream waits for it.
  links.open('revocations', {
    after: hasData,
    hello: () => stream.hello(),
    run: (connection, retire) => stream.follow(connection, retire),
  })
}

function openAdmission(parts: ReplicaParts): ReplicaAdmission {
  const { options, host, peers, feed, verify, guestVerify } = parts
  const { log, config } = options
  const admin = {
    status: () => statusOf(parts),
    // A copy has no audit of its own, so the log names the caller.
    reload: (by: string) => reloadNode({ reload: () => reloadReplica(parts) }, log, by),
    known: () => knownSources(parts),
    signed: parts.signed,
  }
  return new ReplicaAdmission({
    peers,
    region: config.region,
    feed,
    verify,
    guestVerify,
    admin,
    clock: host.clock,
    log,
  })
}

/** `peers` and `verify_open` take effect at once; everything else needs a restart. */
function reloadReplica({ options, peers: registry }: Pick<ReplicaParts, 'options' | 'peers'>): ReloadResult {
  const { peers, verify_open: openVerify, ...rest } = options.reread()
  const { peers: _, verify_open: __, ...started } = options.config
  const applied = registry.openVerify === openVerify ? [] : ['verify_open']
  return { peers: registry.replace(peers, { openVerify }), applied, restart: differingKeys(started, rest) }
}

function knownSources({
  options,
  host,
  tables,
  copy,
  pageScrub,
  denials,
  journal,
  lostJournal,
}: ReplicaParts): KnownSources {
  const { source } = tables
  const { applied } = copy
  const { generation, bytes } = journal
  const path = fileIn(options, 'journal')
  return { source, applied, denials, journal: { path, generation, bytes }, lostJournal, pageScrub, timers: host.clock }
}

function statusOf(parts: ReplicaParts): ReplicaStatus {
  const { options, host, startedMs } = parts
  return replicaStatus({
    ...parts,
    config: options.config,
    peerId: options.identity.peerId,
    uptimeMs: host.clock.monotonicMs() - startedMs,
    wallMs: host.clock.wallMs(),
    alarms: parts.alarms.list,
    linesDropped: parts.linesDropped(),
  })
}
