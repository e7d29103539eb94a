/**
 * The call behind `--wait global` (S2): waits until a revocation binds everywhere, and lists the replicas that may still judge
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
import { type AuthorityState, newestSeqOf } from '../authority/state.ts'
import { requireSettled } from './require-settled.ts'
import { mayActFor } from './permissions.ts'

export interface GlobalWaitOptions {
  readonly book: GrantBook
  readonly state: () => AuthorityState
  readonly replicas: () => readonly KnownPeer[]
  readonly clock: Clock & Timers
  /** Undefined if no row has this number. */
  readonly orgOf: (seq: number) => string | undefined
}

type NamedReplica = { readonly id: string } & Pick<KnownPeer, 'name' | 'region'>

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
    const before = book.coverage(mark)
    const covered = await completesWithin(clock, waitMs, (signal) => book.covered(mark, signal))
    if (covered) requireSettled(state(), seq)
    return { seq, covered, ...this.#describe(mark, before) }
  }

  /**
   * A replica process that was pending when the call began, and is now unknown or holds a newer lease, is described as
   * expired: its earlier lease ended meanwhile.
   */
  #describe(mark: Mark, before: readonly Coverage[]): Pick<CoverageResult, 'earlierLeasesUntilMs' | 'replicas'> {
    const { book, replicas, clock } = this.#options
    const nowMs = clock.monotonicMs()
    const now = book.coverage(mark)
    const gone = before.filter((then) => !now.some((one) => isSame(one, then)))
    const all = [...now, ...gone].map((one) => {
      const then = one.how === 'no lease' ? (before.find((other) => isSame(one, other)) ?? one) : one
      return isExpired(then, nowMs) ? ({ ...then, how: 'lease expired' } as const) : one
    })
    // The caller reads wall time, and the book counts in monotonic time.
    const wallMs = (atMs: number): number => Math.round(clock.wallMs() - (nowMs - atMs))
    const earlierLeasesUntilMs = nowMs < book.startUntilMs ? wallMs(book.startUntilMs) : null
    const described = this.#named(replicas(), before, now).map(({ id, name, region = null }): CoveredReplica => {
      const { how, atMs } = worst(all.filter(({ peer }) => peer === id)) ?? this.#neverConnected(nowMs)
      return { name, region, how, atMs: wallMs(atMs) }
    })
    return { earlierLeasesUntilMs, replicas: described }
  }

  /** The configured replicas, and by PeerId the replicas that this call waited for but that are no longer configured. */
  #named(configured: readonly KnownPeer[], ...coverages: readonly (readonly Coverage[])[]): readonly NamedReplica[] {
    const pending = coverages.flat().filter(({ how }) => how === 'pending')
    const removed = new Set(pending.map(({ peer }) => peer))
    for (const { id } of configured) removed.delete(id)
    return [...configured, ...[...removed].map((id) => ({ id, name: id }))]
  }

  /**
   * Throws position_superseded, request_invalid. One message serves both for a missing number and for a number of another org,
   * so it reveals nothing.
   */
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

  /** Also accepts an org's newest number without its row: a purge may delete the row while a caller waits for that number. */
  #mayAskOf(peer: KnownPeer, seq: number): boolean {
    if (peer.role === 'operator') return true
    const { state, orgOf } = this.#options
    const org = orgOf(seq)
    if (org !== undefined) return mayActFor(peer, org)
    return [...state().orgs.keys()].some((name) => mayActFor(peer, name) && newestSeqOf(state(), name) === seq)
  }

  /** Describes a replica that has not connected to this process. It may hold a lease that an earlier process granted. */
  #neverConnected(nowMs: number): Pick<Coverage, 'how' | 'atMs'> {
    const { startUntilMs } = this.#options.book
    return { how: nowMs < startUntilMs ? 'pending' : 'no lease', atMs: startUntilMs }
  }
}

/** True if the wait completes within `waitMs`. Otherwise false, and the signal aborts the wait. */
async function completesWithin(
  timers: Timers,
  waitMs: number,
  wait: (signal: AbortSignal) => Promise<void>,
): Promise<boolean> {
  const over = new AbortController()
  const { promise, resolve, reject } = Promise.withResolvers<boolean>()
  const callOff = timers.after(waitMs, () => resolve(false))
  wait(over.signal).then(() => resolve(true), reject)
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

function isExpired({ how, atMs }: Coverage, nowMs: number): boolean {
  return how === 'pending' && atMs <= nowMs
}

/**
 * Chooses among several processes of one replica: the pending one whose lease ends last, or, if none is pending, the one that
 * was covered last.
 */
function worst(coverages: readonly Coverage[]): Coverage | undefined {
  const pending = coverages.filter(({ how }) => how === 'pending')
  const relevant = pending.length > 0 ? pending : coverages
  return relevant.toSorted((a, b) => b.atMs - a.atMs)[0]
}

function superseded(asked: number, led: number): MacaroondError {
  return new MacaroondError(
    'position_superseded',
    `the revocation is of epoch ${asked}, and this primary leads epoch ${led}`,
    {
      hint: 'the database was restored meanwhile: check if it still has the revocation, and revoke again if it has not',
    },
  )
}
