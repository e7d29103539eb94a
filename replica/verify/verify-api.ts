/**
 * The calls of the `verify` channel, `verify` and `explain`. They judge a token by this replica's tables, without any I/O. A
 * call waits a short time if it needs a later or fresher state. No accepting verdict leaves unless the lease is still running.
 */
import { MacaroondError } from '../../shared/errors.ts'
import type { ClockReading } from '../../shared/freshness/clock-reading.ts'
import { compareMarks, type Mark } from '../../shared/freshness/mark.ts'
import { comparePositions, parsePosition, type Position } from '../../shared/position.ts'
import { params } from '../../shared/protocol/params.ts'
import {
  type ExplainResult,
  type Judged,
  verifyParams,
  type VerifyParams,
  type VerifyResult,
} from '../../shared/protocol/verify.ts'
import type { Access } from '../../shared/verifier/access.ts'
import { boundExplanation } from './bounded-explanation.ts'
import { refused, type Refused, type Verdict } from '../../shared/verifier/verdict.ts'
import { explain, judge, type TokenTables, type VerificationRequest } from '../../shared/verifier/verifier.ts'
import type { Freshness } from '../freshness/freshness.ts'
import type { Tables } from '../tables/tables.ts'
import { JudgingPermit, type JudgingPermitOptions } from './judging-permit.ts'
import type { PositionWaiters } from './position-waiters.ts'

export interface VerifyApiOptions extends JudgingPermitOptions {
  readonly node: string
  readonly tables: TokenTables & Pick<Tables, 'meta' | 'uninterpretable' | 'revocationSeq'>
  readonly freshness: Pick<Freshness, 'now' | 'remainingMs' | 'ageMs' | 'time' | 'freshen'>
  /** Calls that wait for a later or fresher state. */
  readonly waiters: PositionWaiters
}

export interface AnswerOptions {
  readonly withAge?: boolean
}

/** The steps in which `verify` and `explain` differ. */
interface JudgeStrategy<Judgement, Answer> {
  readonly judge: () => Judgement
  readonly verdictOf: (judgement: Judgement) => Verdict
  readonly answer: (judgement: Judgement, unreached?: Refused) => Answer
}

export class VerifyApi {
  readonly #options: VerifyApiOptions
  readonly #permit: JudgingPermit

  constructor(options: VerifyApiOptions) {
    this.#options = options
    this.#permit = new JudgingPermit(options)
  }

  /** Judges a token. With `withAge` the answer has the age of the state, if there is a lease. */
  verify(value: unknown, { withAge = false }: AnswerOptions = {}): VerifyResult | Promise<VerifyResult> {
    const asked = params(verifyParams, value)
    return this.#whenReady(asked, {
      judge: () => this.#judge(asked),
      verdictOf: (verdict) => verdict,
      answer: (verdict, unreached) => this.#stamp(unreached ?? verdict, withAge),
    })
  }

  /** Judges a token as `verify` does, and answers with each step, within the limits of an answer. */
  explain(value: unknown): ExplainResult | Promise<ExplainResult> {
    const asked = params(verifyParams, value)
    return this.#whenReady(asked, {
      judge: () => this.#explain(asked),
      verdictOf: ({ verdict }) => verdict,
      answer: withheld,
    })
  }

  /** Judges at once, unless the call wants a later state, or a caveat wants a fresher one. */
  #whenReady<Judgement, Answer>(
    asked: VerifyParams,
    strategy: JudgeStrategy<Judgement, Answer>,
  ): Answer | Promise<Answer> {
    if (asked.minPosition !== undefined || !this.#hasReached(asked.minimum)) return this.#whenReached(asked, strategy)
    const judgement = strategy.judge()
    const wantedMs = stalenessWanted(strategy.verdictOf(judgement))
    return wantedMs === undefined ? strategy.answer(judgement) : this.#fresher(asked, wantedMs, strategy)
  }

  async #whenReached<Judgement, Answer>(
    asked: VerifyParams,
    strategy: JudgeStrategy<Judgement, Answer>,
  ): Promise<Answer> {
    const { freshness } = this.#options
    const wanted = asked.minPosition === undefined ? undefined : parsePosition(asked.minPosition)
    const reached = (): boolean => this.#isAtPosition(wanted) && this.#hasReached(asked.minimum)
    // A replica that has just caught up may be about to get its first lease, so the wait includes the lease.
    const ready = (): boolean => reached() && freshness.remainingMs(freshness.now()) > 0
    const started = freshness.now()
    const hopeless = (): boolean => this.#isAtPosition(wanted) && this.#hasAllOfPrimary(asked.minimum, started)
    await this.#options.waiters.wait(charsOf(asked), () => ready() || hopeless())
    return reached() ? this.#whenReady(withoutState(asked), strategy) : strategy.answer(strategy.judge(), notReached())
  }

  /**
   * True if the lease began after the request arrived and the minimum is still ahead. This replica then has everything that its
   * primary has, so the minimum comes from another history. The call need not wait longer, and its answer lets the worker lower
   * its minimum.
   */
  #hasAllOfPrimary(minimum: Mark | undefined, started: ClockReading): boolean {
    const { freshness } = this.#options
    const now = freshness.now()
    const leased = freshness.remainingMs(now) > 0 && freshness.ageMs(now) < now.monotonicMs - started.monotonicMs
    return leased && !this.#hasReached(minimum)
  }

  /** Waits for a fresher state, which a caveat wants, and judges again. One ping serves all calls that wait. */
  async #fresher<Judgement, Answer>(
    asked: VerifyParams,
    wantedMs: number,
    strategy: JudgeStrategy<Judgement, Answer>,
  ): Promise<Answer> {
    const { freshness } = this.#options
    await this.#options.waiters.wait(charsOf(asked), () => {
      if (freshness.ageMs(freshness.now()) <= wantedMs) return true
      freshness.freshen()
      return false
    })
    return strategy.answer(strategy.judge())
  }

  /** Judges. The lease is checked before and after, because the process can be suspended in the middle. */
  #judge(asked: VerifyParams): Verdict {
    const now = this.#options.freshness.now()
    const verdict =
      this.#permit.unavailable(now) ??
      judge(requestOf(asked), this.#options.tables, this.#permit.context(now, asked.peer))
    return this.#permit.withoutLease() ?? this.#ifNewerThanState(verdict) ?? verdict
  }

  #explain(asked: VerifyParams): ExplainResult {
    const now = this.#options.freshness.now()
    const explanation = explain(requestOf(asked), this.#options.tables, this.#permit.context(now, asked.peer))
    const unavailable =
      this.#permit.unavailable(now) ?? this.#permit.withoutLease() ?? this.#ifNewerThanState(explanation.verdict)
    const told = { ...boundExplanation(explanation), judged: this.#judged() }
    return withheld(told, unavailable)
  }

  #ifNewerThanState(verdict: Verdict): Refused | undefined {
    if (verdict.ok || verdict.reason !== 'key_unknown') return undefined
    return unavailableIfNewer(verdict, this.#options.tables.meta?.issueClockMs ?? 0)
  }

  /** True if this replica has reached the position. Throws position_superseded for an earlier epoch: it is never reached. */
  #isAtPosition(wanted: Position | undefined): boolean {
    const { meta } = this.#options.tables
    if (wanted === undefined) return true
    if (meta === undefined) return false
    if (wanted.epoch < meta.epoch) {
      throw new MacaroondError('position_superseded', `epoch ${wanted.epoch} was superseded by epoch ${meta.epoch}`, {
        hint: 'a restore may have undone the write of this position: check it, then repeat the write',
      })
    }
    return comparePositions({ ...wanted, epoch: meta.epoch, txid: meta.txid }, wanted) >= 0
  }

  /** True if this replica has at least the worker's minimum. Otherwise its answer could miss a revocation the worker knows. */
  #hasReached(minimum: Mark | undefined): boolean {
    const { meta, revocationSeq } = this.#options.tables
    if (minimum === undefined) return true
    return meta !== undefined && compareMarks({ epoch: meta.epoch, seq: revocationSeq }, minimum) >= 0
  }

  #stamp(verdict: Verdict, withAge: boolean): VerifyResult {
    const { freshness } = this.#options
    const now = freshness.now()
    const told = withAge && freshness.remainingMs(now) > 0 ? { ageMs: freshness.ageMs(now) } : {}
    return { ...verdict, ...this.#judged(), ...told }
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

/** The verifier checks the access itself, so the cast is safe. */
function requestOf({ token, access }: VerifyParams): VerificationRequest {
  return { token, access: access as Access }
}

/** Replaces an accepting verdict by `unavailable` if this node may not judge now (S4). The explained steps stay. */
function withheld(explained: ExplainResult, unavailable: Refused | undefined): ExplainResult {
  if (unavailable === undefined) return explained
  return { ...explained, verdict: explained.verdict.ok ? unavailable : explained.verdict, unavailable }
}

/** The size of a waiting call in memory, in characters. */
function charsOf({ token, access }: VerifyParams): number {
  return token.length + JSON.stringify(access ?? null).length
}

function withoutState({ minPosition: _, minimum: __, ...asked }: VerifyParams): VerifyParams {
  return asked
}

function notReached(): Refused {
  return refused('unavailable', 'this replica has not reached the wanted state yet')
}

/** The age that a state may have to satisfy a caveat, if only freshness is missing; else undefined. Milliseconds. */
function stalenessWanted(verdict: Verdict): number | undefined {
  return verdict.ok ? undefined : verdict.stalenessWantedMs
}

/**
 * `unavailable` instead of `key_unknown` for a token that was issued after this replica's state: its key may not have arrived
 * yet (S4). The time of issue is unauthenticated, but a false one only changes the reason of the refusal.
 */
function unavailableIfNewer({ issuedAtMs = 0 }: Refused, appliedMs: number): Refused | undefined {
  if (issuedAtMs <= appliedMs) return undefined
  return refused('unavailable', 'the token is newer than what this replica has applied')
}
