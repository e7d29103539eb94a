/**
 * Pure core of a grantor of freshness leases: a primary grants to its replicas, a replica to its workers. It computes which
 * holders may still judge without a revocation, and until when. Every grant must be recorded here before its answer is sent.
 * Only the grantor's own monotonic clock is used, as a parameter of every call. A lease is counted longer than granted, because
 * clocks differ in rate.
 *
 * A holder can use a lease that was granted at revocation 7 only after it has applied revocation 7. So a holder that requests
 * leases but applies nothing delays revocation 7 only until the end of the last lease that it got before.
 */
import { BOOTS_PER_PEER_MAX } from '../limits.ts'
import { grantedMs } from './bound.ts'
import { compareMarks, earlierMark, laterMark, MARK_ALL, MARK_NONE, type Mark } from './mark.ts'

/**
 * One process of one peer. Another boot of the peer is another holder, because it does not know which leases the first granted.
 */
export interface HolderName {
  readonly peer: string
  readonly boot: string
}

export interface GrantsOptions {
  /**
   * Monotonic time at which this grantor began, and the longest lease that an earlier process may have granted (0 for none).
   */
  readonly startedMs: number
  readonly earlierLeaseMs: number
  readonly clockRateError: number
  /** Length of the chain of leases that begins with one granted here: 2 at a primary, 1 at a replica. */
  readonly hops: number
  readonly holdersMax: number
  /** Processes of one peer that may hold leases at once. It limits a peer that invents boot ids. */
  readonly bootsPerPeerMax?: number
}

/** How one holder is covered: it will no longer judge without the revocation. */
export interface Coverage extends HolderName {
  /** `no lease`: it holds no lease from before the revocation. `pending`: it is not covered yet. */
  readonly how: 'acknowledged' | 'lease expired' | 'no lease' | 'pending'
  /** Monotonic time since which it is covered; if `pending`, the latest time at which it will be. */
  readonly atMs: number
}

interface Granted {
  readonly mark: Mark
  readonly untilMs: number
}

interface Holder extends HolderName {
  /** Running leases, ascending by mark and by end. */
  leases: readonly Granted[]
  acknowledged: Mark
  acknowledgedMs: number
}

/**
 * Leases recorded for one holder. Beyond this number the two oldest become one, with the earlier mark and the later end.
 */
const LEASES_RECORDED_MAX = 64

export class Grants {
  readonly #options: GrantsOptions
  readonly #holders = new Map<string, Holder>()
  /** Until this monotonic time, any holder may have a lease from before this grantor's start. */
  readonly startUntilMs: number

  constructor(options: GrantsOptions) {
    this.#options = options
    this.startUntilMs = options.startedMs + this.#countedMs(options.earlierLeaseMs)
  }

  /** Records a lease. False if there are too many holders; no lease may be given then. */
  grant(
    name: HolderName,
    { mark, leaseMs }: { readonly mark: Mark; readonly leaseMs: number },
    nowMs: number,
  ): boolean {
    const holder = this.#holders.get(keyOf(name)) ?? this.#admit(name, nowMs)
    if (holder === undefined) return false
    const live = holder.leases.filter((lease) => lease.untilMs > nowMs)
    const untilMs = Math.max(nowMs + this.#countedMs(leaseMs), live.at(-1)?.untilMs ?? -Infinity)
    // A renewal at the same mark extends the lease. If a mark ever went backwards, we keep the lower one, which is the safe
    // side.
    const leases = [...live.filter((lease) => compareMarks(lease.mark, mark) < 0), { mark, untilMs }]
    holder.leases = leases.length > LEASES_RECORDED_MAX ? withFirstTwoAsOne(leases) : leases
    return true
  }

  /** Records that this holder, and every holder whose lease depends on it, has applied everything up to the mark. */
  acknowledge(name: HolderName, mark: Mark, nowMs: number): void {
    const holder = this.#holders.get(keyOf(name))
    if (holder === undefined || compareMarks(mark, holder.acknowledged) <= 0) return
    holder.acknowledged = mark
    holder.acknowledgedMs = nowMs
  }

  /** The last mark for which every holder is covered; MARK_ALL if nobody holds a lease. */
  coveredUpTo(nowMs: number): Mark {
    if (nowMs < this.startUntilMs) return MARK_NONE
    let covered = MARK_ALL
    for (const holder of this.#holders.values()) covered = earlierMark(covered, coveredMarkOf(holder, nowMs))
    return covered
  }

  /** The coverage of each recorded holder for one revocation. A holder without a running lease may be missing. */
  coverage(mark: Mark, nowMs: number): Coverage[] {
    return [...this.#holders.values()].map((holder) => coverageOf(holder, mark, nowMs))
  }

  /** The time at which every holder is covered even if none acknowledges. A time in the past if all are covered. */
  coveredByMs(mark: Mark, nowMs: number): number {
    const pending = this.coverage(mark, nowMs).filter(({ how }) => how === 'pending')
    return Math.max(this.startUntilMs, ...pending.map(({ atMs }) => atMs))
  }

  #countedMs(leaseMs: number): number {
    const { clockRateError, hops } = this.#options
    return grantedMs(leaseMs, clockRateError, hops)
  }

  #admit({ peer, boot }: HolderName, nowMs: number): Holder | undefined {
    for (const [key, holder] of this.#holders) if (!isLive(holder, nowMs)) this.#holders.delete(key)
    const { holdersMax, bootsPerPeerMax = BOOTS_PER_PEER_MAX } = this.#options
    const boots = [...this.#holders.values()].filter((holder) => holder.peer === peer).length
    if (this.#holders.size >= holdersMax || boots >= bootsPerPeerMax) return undefined
    const holder = { peer, boot, leases: [], acknowledged: MARK_NONE, acknowledgedMs: nowMs }
    this.#holders.set(keyOf(holder), holder)
    return holder
  }
}

function keyOf({ peer, boot }: HolderName): string {
  return `${peer} ${boot}`
}

function isLive({ leases }: Holder, nowMs: number): boolean {
  return (leases.at(-1)?.untilMs ?? -Infinity) > nowMs
}

/**
 * The mark that a holder is covered for: its acknowledgement, or the mark of its oldest lease, because the holder cannot use a
 * lease before it has applied the lease's mark.
 */
function coveredMarkOf({ leases, acknowledged }: Holder, nowMs: number): Mark {
  const oldest = leases.find(({ untilMs }) => untilMs > nowMs)
  return oldest === undefined ? MARK_ALL : laterMark(acknowledged, oldest.mark)
}

function coverageOf({ peer, boot, ...holder }: Holder, mark: Mark, nowMs: number): Coverage {
  const { leases, acknowledged, acknowledgedMs } = holder
  if (compareMarks(acknowledged, mark) >= 0) return { peer, boot, how: 'acknowledged', atMs: acknowledgedMs }
  const endMs = leases.findLast((lease) => compareMarks(lease.mark, mark) < 0)?.untilMs
  if (endMs === undefined) return { peer, boot, how: 'no lease', atMs: nowMs }
  return { peer, boot, how: endMs > nowMs ? 'pending' : 'lease expired', atMs: endMs }
}

function withFirstTwoAsOne([first, second, ...rest]: readonly Granted[]): Granted[] {
  if (first === undefined || second === undefined) return rest
  return [{ mark: first.mark, untilMs: second.untilMs }, ...rest]
}
