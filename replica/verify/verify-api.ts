/** The calls of the `verify` channel: judge a token from this replica's own tables, with no I/O on the way. */
import type { Clock } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { EXPLANATION_CHARS_MAX } from '../../shared/limits.ts'
import { comparePositions, parsePosition, type Position } from '../../shared/position.ts'
import { params } from '../../shared/protocol/params.ts'
import { type ExplainResult, verifyParams, type Judged, type VerifyResult } from '../../shared/protocol/verify.ts'
import type { Access, Context } from '../../shared/verifier/access.ts'
import { refused, type Refused, type Verdict } from '../../shared/verifier/verdict.ts'
import { explain, judge } from '../../shared/verifier/verifier.ts'
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
    const { token, access, peer, minPosition } = params(verifyParams, value)
    const answer = (): VerifyResult => this.#stamp(this.#judge(token, access as Access, peer))
    if (minPosition === undefined) return answer()
    const chars = token.length + JSON.stringify(access ?? null).length
    return this.#reach(parsePosition(minPosition), chars).then((reached) =>
      reached ? answer() : this.#stamp(refused('unavailable', 'this replica has not reached the wanted position yet')),
    )
  }

  /** The same walk, told step by step. It waits for nothing: what this replica knows now is what there is to explain. */
  explain(value: unknown): ExplainResult {
    const { token, access, peer } = params(verifyParams, value)
    const unavailable = this.#unavailable()
    const explanation = explain({ token, access: access as Access }, this.#options.tables, this.#context(peer))
    const { caveats } = explanation
    const judged = this.#judged()
    const told = { ...explanation, judged, ...(unavailable === undefined ? {} : { unavailable }) }
    return JSON.stringify(caveats).length > EXPLANATION_CHARS_MAX ? { ...told, caveats: [], truncated: true } : told
  }

  #judge(token: string, access: Access, peer: string | undefined): Verdict {
    const unavailable = this.#unavailable()
    if (unavailable !== undefined) return unavailable
    const { tables } = this.#options
    const verdict = judge({ token, access }, tables, this.#context(peer))
    const appliedMs = tables.meta?.issueClockMs ?? 0
    return verdict.ok || verdict.reason !== 'key_unknown' ? verdict : laterThanUs(verdict, appliedMs)
  }

  /** Why nothing is said of any token now. */
  #unavailable(): Refused | undefined {
    const { meta, uninterpretable } = this.#options.tables
    if (meta === undefined) return refused('unavailable', 'this replica has no data yet')
    return uninterpretable === undefined ? undefined : refused('unavailable', uninterpretable)
  }

  #context(peer: string | undefined): Context {
    const { region, clock } = this.#options
    const now = clock.wallMs()
    return { nowEarliestMs: now, nowLatestMs: now, region, ...(peer === undefined ? {} : { peer }) }
  }

  async #reach(wanted: Position, chars: number): Promise<boolean> {
    return this.#waiters.wait(chars, () => this.#reached(wanted))
  }

  /** This replica has applied something: who waited for that gets its answer. */
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
    return { ...verdict, ...this.#judged() }
  }

  #judged(): Judged {
    const { node, region, tables } = this.#options
    return {
      node,
      region,
      pid: process.pid,
      epoch: tables.meta?.epoch ?? 0,
      txid: tables.meta?.txid ?? 0,
      revocationSeq: tables.revocationSeq,
    }
  }
}

/** S4: a key of a token that is younger than our state may just not have arrived. The claim is unauthenticated: it only delays. */
function laterThanUs(verdict: Refused, appliedMs: number): Refused {
  const issuedAtMs = verdict.issuedAtMs ?? 0
  return issuedAtMs <= appliedMs
    ? verdict
    : refused('unavailable', 'the token is newer than what this replica has applied')
}
