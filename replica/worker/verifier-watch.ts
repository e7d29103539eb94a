/**
 * Watches whether a verifier can judge tokens, for `ready`, `health` and `replicaChanged`. It learns from the connections, from
 * the lease, and from probes. Probes begin with the first `ready`, `health`, `on` or a logger: other services need none.
 */
import type { NodeClock } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { ServiceLogger } from '../../shared/service-logger.ts'
import type { Listeners } from './events.ts'
import type { ReadyOptions, ReplicaHealth, VerifierHealth } from './public-types.ts'
import type { PoolMember } from './pool-member.ts'
import type { ReplicaPool } from './replica-pool.ts'
import { everyReplicaRefuses, noReplicaServes, type ReplicaProblem } from './replica-problem.ts'

export interface VerifierWatchOptions {
  readonly pool: ReplicaPool
  /** The lease of the cache: milliseconds left, and the PeerId of the replica that granted it. */
  readonly lease: () => { readonly leaseRemainingMs: number; readonly replica: string | null }
  /** Why this replica refuses to feed the cache; undefined if it does not. */
  readonly feedRefusal: (peerId: string) => MacaroondError | undefined
  /** Called in each interval, so that the end of a lease is noticed without traffic. */
  readonly onTick: () => void
  readonly clock: NodeClock
  readonly listeners: Listeners
  readonly logger: ServiceLogger
}

const TICK_MS = 250
/** A replica is asked again whether it can judge, if it has not shown it for this time. */
const PROBE_AFTER_MS = 2_000
const PROBE_TIMEOUT_MS = 1_000
const READY_TIMEOUT_MS = 10_000
const READY_TIMEOUT_MS_MAX = 600_000

export class VerifierWatch {
  readonly #options: VerifierWatchOptions
  readonly #waiting = new Set<() => void>()
  #stopTicking: (() => void) | undefined
  #closed = false
  #serving = false
  #sinceMs: number
  #replica: PoolMember | undefined

  constructor(options: VerifierWatchOptions) {
    this.#options = options
    this.#sinceMs = options.clock.wallMs()
  }

  /** Begins to probe. */
  start(): void {
    if (this.#closed || this.#stopTicking !== undefined) return
    this.#stopTicking = this.#options.clock.every(TICK_MS, () => this.#tick(), { background: true })
    this.look()
  }

  close(): void {
    this.#closed = true
    this.#stopTicking?.()
    this.#wake()
  }

  /** To be called after a connection, a lease or an answer has changed. */
  look(): void {
    if (this.#closed) return
    this.#probe()
    const { pool, clock } = this.#options
    const serving = this.#leaseMs > 0 || pool.members.some(({ serves }) => serves)
    if (serving !== this.#serving) this.#changeServing(serving, clock.wallMs())
    this.#changeReplica(pool.inUse)
    this.#wake()
  }

  health(): VerifierHealth {
    this.start()
    this.look()
    const replica = this.#replica === undefined ? null : addressOf(this.#replica)
    const replicas = this.#options.pool.members.map((member) => this.#healthOf(member))
    return { serving: this.#serving, sinceMs: this.#sinceMs, leaseRemainingMs: this.#leaseMs, replica, replicas }
  }

  async ready({ timeoutMs = READY_TIMEOUT_MS, signal }: ReadyOptions): Promise<void> {
    if (!(timeoutMs >= 1 && timeoutMs <= READY_TIMEOUT_MS_MAX))
      throw new MacaroondError('request_invalid', `ready: timeoutMs is a number from 1 to ${READY_TIMEOUT_MS_MAX}`)
    this.start()
    const { clock, pool } = this.#options
    const late = new AbortController()
    const callOff = clock.after(timeoutMs, () => late.abort())
    const ended = AbortSignal.any([late.signal, ...(signal === undefined ? [] : [signal])])
    try {
      for (;;) {
        if (this.#closed || signal?.aborted === true) throw new MacaroondError('closed', 'the wait was ended')
        if (this.#serving) return
        const problems = this.#problems()
        if (pool.members.every(({ refuses }) => refuses)) throw everyReplicaRefuses(problems)
        if (late.signal.aborted) throw noReplicaServes(problems, timeoutMs)
        await this.#change(ended)
      }
    } finally {
      callOff()
    }
  }

  get #leaseMs(): number {
    return this.#options.lease().leaseRemainingMs
  }

  #tick(): void {
    this.#options.onTick()
    this.look()
  }

  /** Asks replicas that have not shown for a while that they can judge. A lease shows it of the replica that granted it. */
  #probe(): void {
    if (this.#stopTicking === undefined) return
    const { pool, lease } = this.#options
    const { leaseRemainingMs, replica } = lease()
    for (const member of pool.members) {
      if (!member.client.connected) continue
      if (leaseRemainingMs > 0 && member.peerId === replica) member.judged()
      else if (member.unaskedMs >= PROBE_AFTER_MS) void member.probe({ timeoutMs: PROBE_TIMEOUT_MS })
    }
  }

  #changeServing(serving: boolean, atMs: number): void {
    this.#serving = serving
    this.#sinceMs = atMs
    const { logger } = this.#options
    if (serving) logger.info({}, 'tokens can be verified')
    else logger.warn({ problems: this.#problems() }, 'no token can be verified: every verdict is unavailable')
  }

  #changeReplica(now: PoolMember | undefined): void {
    const before = this.#replica
    if (before === now) return
    this.#replica = now
    const [from, to] = [before, now].map((member) => (member === undefined ? null : addressOf(member)))
    this.#options.listeners.emit('replicaChanged', { from: from ?? null, to: to ?? null })
    this.#options.logger.info({ from: from?.address ?? null, to: to?.address ?? null }, 'another replica is asked')
  }

  #healthOf(member: PoolMember): ReplicaHealth {
    const { connected } = member.client
    return { ...addressOf(member), connected, serving: member.serves, problem: this.#problemOf(member) }
  }

  #problems(): readonly ReplicaProblem[] {
    return this.#options.pool.members.flatMap((member) => this.#problemOf(member) ?? [])
  }

  #problemOf(member: PoolMember): ReplicaProblem | null {
    if (member.problem !== null || !member.client.connected) return member.problem
    const refusal = this.#options.feedRefusal(member.peerId)
    return refusal === undefined ? null : member.problemOf(refusal, 'feed')
  }

  #change(ended: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake)
        ended.removeEventListener('abort', wake)
        resolve()
      }
      this.#waiting.add(wake)
      ended.addEventListener('abort', wake)
      if (ended.aborted) wake()
    })
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
  }
}

function addressOf({ address, peerId }: PoolMember): { readonly address: string; readonly peerId: string } {
  return { address, peerId }
}
