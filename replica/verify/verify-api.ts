/** The calls of the `verify` channel: judge a token from this replica's own tables, with no I/O on the way. */
import type { Clock } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { compareMarks, type Mark } from '../../shared/freshness/mark.ts'
import { comparePositions, parsePosition, type Position } from '../../shared/position.ts'
import { params } from '../../shared/protocol/params.ts'
import { verifyParams, type Judged, type VerifyResult } from '../../shared/protocol/verify.ts'
import type { Access } from '../../shared/verifier/access.ts'
import { refused, type Refused, type Verdict } from '../../shared/verifier/verdict.ts'
import { judge } from '../../shared/verifier/verifier.ts'
import type { Tables } from '../tables/tables.ts'
import { PositionWaiters } from './position-waiters.ts'

export interface VerifyApiOptions {
  readonly node: string
  readonly region: string
  readonly tables: Tables
  readonly clock: Clock
}

export class VerifyApi {
  readonly #options: VerifyApiOptions
  readonly #waiters = new PositionWaiters()

  constructor(options: VerifyApiOptions) {
    this.#options = options
  }

  verify(value: unknown): VerifyResult | Promise<VerifyResult> {
    const { token, access, peer, minPosition, minimum } = params(verifyParams, value)
    const answer = (): VerifyResult => this.#stamp(this.#judge(token, access as Access, peer))
    if (minPosition === undefined && (minimum === undefined || this.#knows(minimum))) return answer()
    const wanted = minPosition === undefined ? undefined : parsePosition(minPosition)
    const chars = token.length + JSON.stringify(access ?? null).length
    const reached = this.#waiters.wait(chars, () => this.#reached(wanted) && this.#knows(minimum))
    return reached.then((now) =>
      now ? answer() : this.#stamp(refused('unavailable', 'this replica has not reached the wanted position yet')),
    )
  }

  #judge(token: string, access: Access, peer: string | undefined): Verdict {
    const { tables, region, clock } = this.#options
    const { meta, uninterpretable } = tables
    if (meta === undefined) return refused('unavailable', 'this replica has no data yet')
    if (uninterpretable !== undefined) return refused('unavailable', uninterpretable)
    const now = clock.wallMs()
    const context = { nowEarliestMs: now, nowLatestMs: now, region, ...(peer === undefined ? {} : { peer }) }
    const verdict = judge({ token, access }, tables, context)
    return verdict.ok || verdict.reason !== 'key_unknown' ? verdict : laterThanUs(verdict, meta.issueClockMs)
  }

  /** This replica has applied something: who waited for that gets its answer. */
  applied(): void {
    this.#waiters.wake()
  }

  /** Throws position_superseded: a position of an epoch that was left behind can never be reached. */
  #reached(wanted: Position | undefined): boolean {
    const { meta } = this.#options.tables
    if (wanted === undefined) return true
    if (meta === undefined) return false
    if (wanted.epoch < meta.epoch) {
      throw new MacaroondError('position_superseded', `epoch ${wanted.epoch} was superseded by epoch ${meta.epoch}`, {
        hint: 'the write that this position comes from may have been undone: look again, then write again',
      })
    }
    return comparePositions({ ...wanted, epoch: meta.epoch, txid: meta.txid }, wanted) >= 0
  }

  /** Where a worker has seen more than this replica, an answer from here would take it back in time. */
  #knows(minimum: Mark | undefined): boolean {
    const { meta, revocationSeq } = this.#options.tables
    if (minimum === undefined) return true
    return meta !== undefined && compareMarks({ epoch: meta.epoch, seq: revocationSeq }, minimum) >= 0
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

/** S4: a key of a token that is younger than our state may just not have arrived. The claim is unauthenticated: it only delays. */
function laterThanUs(verdict: Refused, appliedMs: number): Refused {
  const issuedAtMs = verdict.issuedAtMs ?? 0
  return issuedAtMs <= appliedMs
    ? verdict
    : refused('unavailable', 'the token is newer than what this replica has applied')
}
