/**
 * The primary: starts its parts, stops them in order, and reports their status. Data flows one way: command → authority →
 * commit log → publisher → channel.
 */
import type { Listener } from '../shared/channel/listen.ts'
import type { ReloadResult } from '../shared/protocol/reload.ts'
import type { PrimaryStatus } from '../shared/protocol/status.ts'
import { listenAsNode } from '../shared/service/node-listener.ts'
import { reloadNode } from '../shared/service/reload.ts'
import type { Service } from '../shared/service/run-service.ts'
import { PrimaryAdmission } from './admission.ts'
import { watchPrimary } from './alarms.ts'
import type { WritesState } from './api/refusals.ts'
import { openCalls } from './api/open-calls.ts'
import { primaryStatus } from './api/status.ts'
import { assemblePrimary, type PrimaryParts } from './assembly.ts'
import type { PrimaryOptions } from './options.ts'
import { reloadPrimary } from './reload.ts'

export class Primary implements Service {
  /** Resolves with the error after which this primary must stop. */
  readonly failed: Promise<unknown>
  readonly #parts: PrimaryParts
  readonly #listener: Listener

  private constructor(parts: PrimaryParts, listener: Listener) {
    this.#parts = parts
    this.#listener = listener
    this.failed = parts.shutdown.failed
  }

  /** Starts a primary. Throws what prevents it, for example schema_newer, kek_wrong, archive_fenced. */
  static async start(options: PrimaryOptions): Promise<Primary> {
    const parts = assemblePrimary(options)
    const { gate, writer, archiving, maintenance, purging, settling, adoption, alarms, host } = parts
    const admission = openAdmission(parts)
    await archiving.start()
    // Migrates now if there is no witness, because none will confirm the position later. The archive has started by now,
    // because it may have shown that another primary leads.
    if (gate.confirmed) writer.migrate()
    const primary = new Primary(parts, await listenAsNode(admission, options, host))
    maintenance.start()
    purging.start()
    settling.check()
    adoption.start()
    watchPrimary(alarms, parts)
    alarms.start()
    options.log.info({ boundMs: parts.granting.boundMs }, 'revocations bind everywhere within this bound')
    return primary
  }

  get address(): string {
    return this.#listener.address
  }

  get writes(): WritesState {
    return this.#parts.gate.state
  }

  get status(): PrimaryStatus {
    return statusOf(this.#parts)
  }

  reload(by?: string): Promise<ReloadResult> {
    return reloadPrimary(this.#parts, by)
  }

  /**
   * Stops the parts in order: first those that begin new work, then the connections, then the archive, which uploads the
   * waiting segments. The last checkpoint runs before the log is closed, and the lock is released last.
   */
  async stop(): Promise<void> {
    const { shutdown, alarms, purging, settling, adoption, publisher, granting, ...parts } = this.#parts
    shutdown.begin()
    alarms.stop()
    await purging.stop()
    settling.close()
    adoption.close()
    publisher.close()
    granting.close()
    parts.authorityClock.close()
    await this.#listener.close()
    await parts.archiving.stop()
    await parts.maintenance.stop()
    parts.commitLog.close()
    parts.lock.release()
  }
}

function openAdmission(parts: PrimaryParts): PrimaryAdmission {
  const { peers, publisher, archives, commitLog, host, options } = parts
  const calls = openCalls({
    ...parts,
    serviceTtlSecondsMax: options.config.tokens.service_token_days * 86_400,
    replicas: () => parts.members.replicas,
    clock: parts.stampClock,
  })
  const { clock } = host
  const reload = (by: string): Promise<ReloadResult> =>
    reloadNode({ reload: (who) => reloadPrimary(parts, who) }, options.log, by)
  const served = { clock, db: commitLog.db, archives, writer: parts.writer, log: options.log }
  return new PrimaryAdmission({
    peers,
    publisher,
    clock,
    calls: { ...calls, ...served, status: () => statusOf(parts), reload },
  })
}

function statusOf(parts: PrimaryParts): PrimaryStatus {
  const { options, host, writer, gate, granting, obstacles, commitLog } = parts
  return primaryStatus({
    ...parts,
    cluster: options.config.cluster,
    writes: gate.state,
    state: writer.state,
    uptimeMs: host.clock.monotonicMs() - parts.startedMs,
    wallMs: host.clock.wallMs(),
    replicas: parts.members.replicas,
    authorityKey: parts.signingKey.publicKey,
    boundMs: granting.boundMs,
    denials: parts.adoption.counts,
    alarms: parts.alarms.list,
    linesDropped: parts.linesDropped(),
    leaseMs: options.config.freshness.lease_ms,
    grants: obstacles.grants,
    room: commitLog.room,
  })
}
