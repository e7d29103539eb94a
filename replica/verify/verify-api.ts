/** The calls of the `verify` channel: judge a token from this replica's own tables, with no I/O on the way. */
import { MacaroondError } from '../../shared/errors.ts'
import { comparePositions, parsePosition, type Position } from '../../shared/position.ts'
import { params } from '../../shared/protocol/params.ts'
import { verifyParams, type Judged, type VerifyResult } from '../../shared/protocol/verify.ts'
import type { Access } from '../../shared/verifier/access.ts'
import { refused, type Refused, type Verdict } from '../../shared/verifier/verdict.ts'
import { judge } from '../../shared/verifier/verifier.ts'
import type { Freshness } from '../freshness/freshness.ts'
import type { Tables } from '../tables/tables.ts'
import { PositionWaiters } from './position-waiters.ts'

export interface VerifyApiOptions {
  readonly node: string
  readonly region: string
  readonly tables: Tables
  readonly freshness: Pick<Freshness, 'now' | 'remainingMs' | 'ageMs' | 'time' | 'freshen'>
}

export class VerifyApi {
  readonly #options: VerifyApiOptions
  readonly #waiters = new PositionWaiters()

  constructor(options: VerifyApiOptions) {
    this.#options = options
  }

  verify(value: unknown): VerifyResult | Promise<VerifyResult> {
    const { token, access, peer, minPosition } = params(verifyParams, value)
    const look = (): Verdict => this.#judge(token, access as Access, peer)
    const chars = (): number => token.length + JSON.stringify(access ?? null).length
    if (minPosition !== undefined) return this.#afterPosition(parsePosition(minPosition), chars(), look)
    const verdict = look()
    const wantedMs = stalenessWanted(verdict)
    return wantedMs === undefined ? this.#stamp(verdict) : this.#fresher(wantedMs, chars(), look)
  }

  async #afterPosition(wanted: Position, chars: number, look: () => Verdict): Promise<VerifyResult> {
    const { freshness } = this.#options
    // A replica that has just got there may be about to get its first lease: that is worth the same short wait.
    const ready = (): boolean => this.#reached(wanted) && freshness.remainingMs(freshness.now()) > 0
    const reached = (await this.#waiters.wait(chars, ready)) || this.#reached(wanted)
    if (!reached) return this.#stamp(refused('unavailable', 'this replica has not reached the wanted position yet'))
    const verdict = look()
    const wantedMs = stalenessWanted(verdict)
    return wantedMs === undefined ? this.#stamp(verdict) : this.#fresher(wantedMs, chars, look)
  }

  /** A caveat wants a fresher state: the primary is asked, once for all that wait, and the token is judged again. */
  async #fresher(wantedMs: number, chars: number, look: () => Verdict): Promise<VerifyResult> {
    const { freshness } = this.#options
    await this.#waiters.wait(chars, () => {
      if (freshness.ageMs(freshness.now()) <= wantedMs) return true
      freshness.freshen()
      return false
    })
    return this.#stamp(look())
  }

  /** The lease is looked at before, and again after: computing takes time, and a process can be stopped in the middle. */
  #judge(token: string, access: Access, peer: string | undefined): Verdict {
    const { tables, region, freshness } = this.#options
    const { meta, uninterpretable } = tables
    if (meta === undefined) return refused('unavailable', 'this replica has no data yet')
    if (uninterpretable !== undefined) return refused('unavailable', uninterpretable)
    const now = freshness.now()
    if (freshness.remainingMs(now) <= 0) return withoutLease()
    const time = freshness.time(now)
    if (!time.credible) return refused('unavailable', `this replica does not know the time: ${time.message}`)
    const { earliestMs: nowEarliestMs, latestMs: nowLatestMs } = time
    const context = { nowEarliestMs, nowLatestMs, stalenessMs: freshness.ageMs(now), region }
    const verdict = judge({ token, access }, tables, peer === undefined ? context : { ...context, peer })
    if (freshness.remainingMs(freshness.now()) <= 0) return withoutLease()
    return verdict.ok || verdict.reason !== 'key_unknown' ? verdict : laterThanUs(verdict, meta.issueClockMs)
  }

  /** This replica has applied something, or knows that it is fresh: who waited for that gets its answer. */
  applied(): void {
    this.#waiters.wake()
  }

  /** Throws position_superseded: a position of an epoch that was left behind can never be reached. */
  #reached(wanted: Position): boolean {
    const { meta } = this.#options.tables
    if (meta === undefined) return false
    if (wanted.epoch < meta.epoch) {
      throw new MacaroondError('position_superseded', `epoch ${wanted.epoch} was superseded by epoch ${meta.epoch}`, {
        hint: 'the write that this position comes from may have been undone: look again, then write again',
      })
    }
    return comparePositions({ ...wanted, epoch: meta.epoch, txid: meta.txid }, wanted) >= 0
  }

  #stamp(verdict: Verdict): VerifyResult {
    const { node, region, tables } = this.#options
    const judged: Judged = {
      node,
      region,
      pid: process.pid,
      epoch: tables.meta?.epoch ?? 0,
      txid: tables.meta?.txid ?? 0,
      revocationSeq: tables.revocationSeq,
    }
    return { ...verdict, ...judged }
  }
}

function withoutLease(): Refused {
  return refused('unavailable', 'this replica’s lease of freshness has run out: it may lack revocations')
}

/** How old a state may be that would decide, where that is all that a verdict lacks. */
function stalenessWanted(verdict: Verdict): number | undefined {
  return verdict.ok ? undefined : verdict.stalenessWantedMs
}

/** S4: a key of a token that is younger than our state may just not have arrived. The claim is unauthenticated: it only delays. */
function laterThanUs(verdict: Refused, appliedMs: number): Refused {
  const issuedAtMs = verdict.issuedAtMs ?? 0
  return issuedAtMs <= appliedMs
    ? verdict
    : refused('unavailable', 'the token is newer than what this replica has applied')
}
