/**
 * The call behind `--wait global` (S2): waits until a revocation binds everywhere, and says which replicas may still judge
 * without it. A replica is covered once it has acknowledged the revocation for itself and its workers, or its last earlier
 * lease has expired.
 */
import type { KnownPeer } from '../../shared/channel/peers.ts'
import type { Clock, Timers } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { GrantBook } from '../../shared/freshness/grant-book.ts'
import type { Coverage } from '../../shared/freshness/grants.ts'
import type { Mark } from '../../shared/freshness/mark.ts'
import { coverageParams, type CoveredReplica, type CoverageResult } from '../../shared/protocol/coverage.ts'
import { params } from '../../shared/protocol/params.ts'
import { type AuthorityState, newestOf } from '../authority/state.ts'
import { requireSettled } from './acknowledgeable.ts'
import { mayActFor } from './permissions.ts'

export interface GlobalWaitOptions {
  readonly book: GrantBook
  readonly state: () => AuthorityState
  readonly replicas: () => readonly KnownPeer[]
  readonly clock: Clock & Timers
  /** Undefined if no row has this number. */
  readonly orgOf: (seq: number) => string | undefined
}

type Named = { readonly id: string } & Pick<KnownPeer, 'name' | 'region'>

export class GlobalWait {
  readonly #options: GlobalWaitOptions

  constructor(options: GlobalWaitOptions) {
    this.#options = options
  }

  /** Answers once the revocation binds everywhere, or after `waitMs` with the replicas that are missing. */
  async coverage(peer: KnownPeer, value: unknown): Promise<CoverageResult> {
    const { epoch, seq, waitMs } = params(coverageParams, value)
    const { state, book, clock } = this.#options
    const mark = { epoch, seq }
    this.#requireKnown(peer, mark)
    const seen = book.coverage(mark)
    const covered = await within(clock, waitMs, (signal) => book.covered(mark, signal))
    if (covered) requireSettled(state(), seq)
    return { seq, covered, ...this.#describe(mark, seen) }
  }

  /** A replica that was pending at the start, and is now unknown or holds a newer lease, counts as expired meanwhile. */
  #describe(mark: Mark, seen: readonly Coverage[]): Pick<CoverageResult, 'earlierLeasesUntilMs' | 'replicas'> {
    const { book, replicas, clock } = this.#options
    const nowMs = clock.monotonicMs()
    const now = book.coverage(mark)
    const gone = seen.filter((then) => !now.some((one) => isSame(one, then)))
    const all = [...now, ...gone].map((one) => {
      const then = one.how === 'no lease' ? (seen.find((other) => isSame(one, other)) ?? one) : one
      return isOver(then, nowMs) ? ({ ...then, how: 'lease expired' } as const) : one
    })
    // The caller reads wall time, and the book counts in monotonic time.
    const wallMs = (atMs: number): number => Math.round(clock.wallMs() - (nowMs - atMs))
    const earlierLeasesUntilMs = nowMs < book.startUntilMs ? wallMs(book.startUntilMs) : null
    const described = this.#named(replicas(), seen, now).map(({ id, name, region = null }): CoveredReplica => {
      const { how, atMs } = worst(all.filter(({ peer }) => peer === id)) ?? this.#unseen(nowMs)
      return { name, region, how, atMs: wallMs(atMs) }
    })
    return { earlierLeasesUntilMs, replicas: described }
  }

  /** The configured replicas, and those that were waited for but are no longer configured, by PeerId. */
  #named(configured: readonly KnownPeer[], ...coverages: readonly (readonly Coverage[])[]): readonly Named[] {
    const pending = coverages.flat().filter(({ how }) => how === 'pending')
    const removed = new Set(pending.map(({ peer }) => peer))
    for (const { id } of configured) removed.delete(id)
    return [...configured, ...[...removed].map((id) => ({ id, name: id }))]
  }

  /** Throws position_superseded, request_invalid. The message does not reveal if the number exists in another org. */
  #requireKnown(peer: KnownPeer, asked: Mark): void {
    const state = this.#options.state()
    if (asked.epoch !== state.epoch) throw superseded(asked.epoch, state.epoch)
    if (asked.seq <= state.revocationSeq && this.#mayAskOf(peer, asked.seq)) return
    throw new MacaroondError(
      'request_invalid',
      `there is no revocation ${asked.seq} in the orgs that ${peer.name} acts for`,
      { hint: '`macaroond revocations list` shows all' },
    )
  }

  /** The row of an org's newest number may be purged, while a caller still waits for that number. */
  #mayAskOf(peer: KnownPeer, seq: number): boolean {
    if (peer.role === 'operator') return true
    const { state, orgOf } = this.#options
    const org = orgOf(seq)
    if (org !== undefined) return mayActFor(peer, org)
    return [...state().orgs.keys()].some((name) => mayActFor(peer, name) && newestOf(state(), name) === seq)
  }

  /** For a replica that has not connected to this process: it may hold a lease from an earlier process. */
  #unseen(nowMs: number): Pick<Coverage, 'how' | 'atMs'> {
    const { startUntilMs } = this.#options.book
    return { how: nowMs < startUntilMs ? 'pending' : 'no lease', atMs: startUntilMs }
  }
}

/** False if the time ran out first. The signal then ends the wait. */
async function within(timers: Timers, waitMs: number, wait: (signal: AbortSignal) => Promise<void>): Promise<boolean> {
  const over = new AbortController()
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const callOff = timers.after(waitMs, () => resolve(false))
  void wait(over.signal).then(() => resolve(true))
  try {
    return await promise
  } finally {
    callOff()
    over.abort()
  }
}

function isSame(a: Coverage, b: Coverage): boolean {
  return a.peer === b.peer && a.boot === b.boot
}

function isOver({ how, atMs }: Coverage, nowMs: number): boolean {
  return how === 'pending' && atMs <= nowMs
}

/** Among several processes of one replica: the pending one whose lease ends last, or else the one that was covered last. */
function worst(coverages: readonly Coverage[]): Coverage | undefined {
  const pending = coverages.filter(({ how }) => how === 'pending')
  const relevant = pending.length > 0 ? pending : coverages
  return relevant.toSorted((a, b) => b.atMs - a.atMs)[0]
}

function superseded(asked: number, led: number): MacaroondError {
  return new MacaroondError('position_superseded', `epoch ${asked} is not the present epoch, ${led}`, {
    hint: 'the database was restored since: check if the revocation is still there, and otherwise revoke again',
  })
}
