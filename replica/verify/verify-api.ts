/** The calls of the `verify` channel: judge a token from this replica's own tables, with no I/O on the way. */
import type { Clock } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { comparePositions, parsePosition, type Position } from '../../shared/position.ts'
import { params } from '../../shared/protocol/params.ts'
import {
  type ExplainResult,
  type Judged,
  verifyParams,
  type VerifyParams,
  type VerifyResult,
} from '../../shared/protocol/verify.ts'
import type { Access, Context } from '../../shared/verifier/access.ts'
import { boundExplanation } from '../../shared/verifier/bounded-explanation.ts'
import { refused, type Refused, type Verdict } from '../../shared/verifier/verdict.ts'
import { explain, judge, type VerificationRequest } from '../../shared/verifier/verifier.ts'
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
    const asked = params(verifyParams, value)
    return this.#whenReached(asked, (unreached) => this.#stamp(unreached ?? this.#judge(asked)))
  }

  /** The same walk, told step by step, within the limits on an answer. */
  explain(value: unknown): ExplainResult | Promise<ExplainResult> {
    const asked = params(verifyParams, value)
    return this.#whenReached(asked, (unreached) => this.#explain(asked, unreached))
  }

  /** `answer` gets a refusal where the wanted position was not reached in time. */
  #whenReached<T>(asked: VerifyParams, answer: (unreached?: Refused) => T): T | Promise<T> {
    const { token, access, minPosition } = asked
    if (minPosition === undefined) return answer()
    const chars = token.length + JSON.stringify(access ?? null).length
    return this.#reach(parsePosition(minPosition), chars).then((reached) =>
      reached ? answer() : answer(refused('unavailable', 'this replica has not reached the wanted position yet')),
    )
  }

  #judge(asked: VerifyParams): Verdict {
    const verdict = this.#unavailable() ?? judge(requestOf(asked), this.#options.tables, this.#context(asked.peer))
    return this.#later(verdict) ?? verdict
  }

  #explain(asked: VerifyParams, unreached: Refused | undefined): ExplainResult {
    const explanation = explain(requestOf(asked), this.#options.tables, this.#context(asked.peer))
    const unavailable = unreached ?? this.#unavailable() ?? this.#later(explanation.verdict)
    const told = { ...boundExplanation(explanation), judged: this.#judged() }
    return unavailable === undefined ? told : { ...told, unavailable }
  }

  #later(verdict: Verdict): Refused | undefined {
    if (verdict.ok || verdict.reason !== 'key_unknown') return undefined
    return laterThanUs(verdict, this.#options.tables.meta?.issueClockMs ?? 0)
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

/** What the caller says of the access is checked by the verifier itself. */
function requestOf({ token, access }: VerifyParams): VerificationRequest {
  return { token, access: access as Access }
}

/** S4: a key of a token that is younger than our state may just not have arrived. The claim is unauthenticated: it only delays. */
function laterThanUs({ issuedAtMs = 0 }: Refused, appliedMs: number): Refused | undefined {
  if (issuedAtMs <= appliedMs) return undefined
  return refused('unavailable', 'the token is newer than what this replica has applied')
}
