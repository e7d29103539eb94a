/**
 * Pure core of whoever grants leases of freshness: a primary to its replicas, a replica to its workers. It says which
 * holders may still be judging without a revocation, and until when. Every grant is recorded here before its answer goes
 * out. Only the grantor's own monotonic clock counts, which is a parameter of every call; a lease is counted longer than it
 * is by what clocks may differ in rate.
 *
 * A lease that was granted at revocation 7 or later counts at its holder only once 7 is applied there: so a holder that
 * asks for leases and never applies anything keeps 7 waiting no longer than its last lease from before.
 */
import { BOOTS_PER_PEER_MAX } from '../limits.ts'
import { grantedMs } from './bound.ts'
import { compareMarks, earlierMark, laterMark, MARK_ALL, MARK_NONE, type Mark } from './mark.ts'

/** One process of one peer. Another boot of the same peer is another holder: it knows nothing of what the first gave on. */
export interface HolderName {
  readonly peer: string
  readonly boot: string
}

export interface GrantsOptions {
  /** When this grantor began, and the longest lease that an earlier process of it may have granted (0 for none). */
  readonly startedMs: number
  readonly earlierLeaseMs: number
  readonly clockRateError: number
  /** Leases one behind the other that hang on one granted here: 2 at a primary, 1 at a replica. */
  readonly hops: number
  readonly holdersMax: number
  /** Processes of one peer that may hold leases at once: a peer that makes up boot ids gets no further. */
  readonly bootsPerPeerMax?: number
}

/** How one holder is covered: it will not judge without the revocation any more. */
export interface Coverage extends HolderName {
  /** `no lease`: it holds none from before the revocation. `pending`: not covered yet. */
  readonly how: 'acknowledged' | 'lease expired' | 'no lease' | 'pending'
  /** Since when it is covered; with `pending`, from when on it is, whatever it says. Monotonic milliseconds. */
  readonly atMs: number
}

interface Granted {
  readonly mark: Mark
  readonly untilMs: number
}

interface Holder extends HolderName {
  /** Leases that run, in order of their marks and of their ends. */
  leases: readonly Granted[]
  acknowledged: Mark
  acknowledgedMs: number
}

/** Leases told apart for one holder; beyond it the two oldest count as one, with the mark of the first and the end of the second. */
const LEASES_TOLD_APART_MAX = 64

export class Grants {
  readonly #options: GrantsOptions
  readonly #holders = new Map<string, Holder>()
  /** Until then anybody may hold a lease from before this grantor's start. */
  readonly startUntilMs: number

  constructor(options: GrantsOptions) {
    this.#options = options
    this.startUntilMs = options.startedMs + this.#countedMs(options.earlierLeaseMs)
  }

  /** Records a lease; false when there are too many holders, and then none may be given. */
  grant(
    name: HolderName,
    { mark, leaseMs }: { readonly mark: Mark; readonly leaseMs: number },
    nowMs: number,
  ): boolean {
    const holder = this.#holders.get(keyOf(name)) ?? this.#admit(name, nowMs)
    if (holder === undefined) return false
    const live = holder.leases.filter((lease) => lease.untilMs > nowMs)
    const untilMs = Math.max(nowMs + this.#countedMs(leaseMs), live.at(-1)?.untilMs ?? -Infinity)
    // Those of the same mark run on with this one; were marks ever to go back, what is counted is the lower one.
    const leases = [...live.filter((lease) => compareMarks(lease.mark, mark) < 0), { mark, untilMs }]
    holder.leases = leases.length > LEASES_TOLD_APART_MAX ? withFirstTwoAsOne(leases) : leases
    return true
  }

  /** This holder, and everybody whose lease hangs on it, has applied everything up to the mark. */
  acknowledge(name: HolderName, mark: Mark, nowMs: number): void {
    const holder = this.#holders.get(keyOf(name))
    if (holder === undefined || compareMarks(mark, holder.acknowledged) <= 0) return
    holder.acknowledged = mark
    holder.acknowledgedMs = nowMs
  }

  /** The last mark that everybody who may judge is covered for; MARK_ALL when nobody holds a lease. */
  coveredUpTo(nowMs: number): Mark {
    if (nowMs < this.startUntilMs) return MARK_NONE
    let covered = MARK_ALL
    for (const holder of this.#holders.values()) covered = earlierMark(covered, limitOf(holder, nowMs))
    return covered
  }

  /** Each holder's standing towards one revocation; who has held none for a while is not among them. */
  coverage(mark: Mark, nowMs: number): Coverage[] {
    return [...this.#holders.values()].map((holder) => coverageOf(holder, mark, nowMs))
  }

  /** When the last lease ends that may be without this revocation, if nobody acknowledges it; the past when all are covered. */
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

/** What it has acknowledged, or what its oldest lease was granted at: it cannot use that one without having applied it. */
function limitOf({ leases, acknowledged }: Holder, nowMs: number): Mark {
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
