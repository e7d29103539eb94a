/** The calls of the `verify` channel: judge a token from this replica's own tables, with no I/O on the way. */
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
  /** Woken when this replica has applied something, or knows that it is fresh. */
  readonly waiters: PositionWaiters
}

export interface AnswerOptions {
  readonly tellsAge?: boolean
}

/** What `verify` and `explain` do differently. */
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

  /** With `tellsAge` the answer says how old the state was, if there is a lease. */
  verify(value: unknown, { tellsAge = false }: AnswerOptions = {}): VerifyResult | Promise<VerifyResult> {
    const asked = params(verifyParams, value)
    return this.#whenReady(asked, {
      judge: () => this.#judge(asked),
      verdictOf: (verdict) => verdict,
      answer: (verdict, unreached) => this.#stamp(unreached ?? verdict, tellsAge),
    })
  }

  /** The same walk, told step by step, within the limits on an answer. */
  explain(value: unknown): ExplainResult | Promise<ExplainResult> {
    const asked = params(verifyParams, value)
    return this.#whenReady(asked, {
      judge: () => this.#explain(asked),
      verdictOf: ({ verdict }) => verdict,
      answer: withheld,
    })
  }

  /** Judges at once, unless a state is wanted that was not reached, or a fresher one than there is decides. */
  #whenReady<Judgement, Answer>(asked: VerifyParams, walk: JudgeStrategy<Judgement, Answer>): Answer | Promise<Answer> {
    if (asked.minPosition !== undefined || !this.#knows(asked.minimum)) return this.#afterState(asked, walk)
    const judgement = walk.judge()
    const wantedMs = stalenessWanted(walk.verdictOf(judgement))
    return wantedMs === undefined ? walk.answer(judgement) : this.#fresher(asked, wantedMs, walk)
  }

  async #afterState<Judgement, Answer>(asked: VerifyParams, walk: JudgeStrategy<Judgement, Answer>): Promise<Answer> {
    const { freshness } = this.#options
    const wanted = asked.minPosition === undefined ? undefined : parsePosition(asked.minPosition)
    const reached = (): boolean => this.#reached(wanted) && this.#knows(asked.minimum)
    // A replica that has just got there may be about to get its first lease: that is worth the same short wait.
    const ready = (): boolean => reached() && freshness.remainingMs(freshness.now()) > 0
    const started = freshness.now()
    const hopeless = (): boolean => this.#reached(wanted) && this.#isBehindNothing(asked.minimum, started)
    await this.#options.waiters.wait(charsOf(asked), () => ready() || hopeless())
    return reached() ? this.#whenReady(withoutState(asked), walk) : walk.answer(walk.judge(), notReached())
  }

  /**
   * The lease began after the question came, so this replica has all that its primary has: a minimum that is still ahead comes
   * from another history, and the worker that learns so soon may ask for less.
   */
  #isBehindNothing(minimum: Mark | undefined, started: ClockReading): boolean {
    const { freshness } = this.#options
    const now = freshness.now()
    const leased = freshness.remainingMs(now) > 0 && freshness.ageMs(now) < now.monotonicMs - started.monotonicMs
    return leased && !this.#knows(minimum)
  }

  /** A caveat wants a fresher state: the primary is asked, once for all that wait, and the token is judged again. */
  async #fresher<Judgement, Answer>(
    asked: VerifyParams,
    wantedMs: number,
    walk: JudgeStrategy<Judgement, Answer>,
  ): Promise<Answer> {
    const { freshness } = this.#options
    await this.#options.waiters.wait(charsOf(asked), () => {
      if (freshness.ageMs(freshness.now()) <= wantedMs) return true
      freshness.freshen()
      return false
    })
    return walk.answer(walk.judge())
  }

  /** The lease is looked at before, and again after: computing takes time, and a process can be stopped in the middle. */
  #judge(asked: VerifyParams): Verdict {
    const now = this.#options.freshness.now()
    const verdict =
      this.#permit.unavailable(now) ??
      judge(requestOf(asked), this.#options.tables, this.#permit.context(now, asked.peer))
    return this.#permit.withoutLease() ?? this.#later(verdict) ?? verdict
  }

  #explain(asked: VerifyParams): ExplainResult {
    const now = this.#options.freshness.now()
    const explanation = explain(requestOf(asked), this.#options.tables, this.#permit.context(now, asked.peer))
    const unavailable = this.#permit.unavailable(now) ?? this.#permit.withoutLease() ?? this.#later(explanation.verdict)
    const told = { ...boundExplanation(explanation), judged: this.#judged() }
    return withheld(told, unavailable)
  }

  #later(verdict: Verdict): Refused | undefined {
    if (verdict.ok || verdict.reason !== 'key_unknown') return undefined
    return laterThanUs(verdict, this.#options.tables.meta?.issueClockMs ?? 0)
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

  #stamp(verdict: Verdict, tellsAge: boolean): VerifyResult {
    const { freshness } = this.#options
    const now = freshness.now()
    const told = tellsAge && freshness.remainingMs(now) > 0 ? { ageMs: freshness.ageMs(now) } : {}
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

/** What the caller says of the access is checked by the verifier itself. */
function requestOf({ token, access }: VerifyParams): VerificationRequest {
  return { token, access: access as Access }
}

/** What is told stays, but a node that accepts nothing now says accepted of nothing (S4). */
function withheld(explained: ExplainResult, unavailable: Refused | undefined): ExplainResult {
  if (unavailable === undefined) return explained
  return { ...explained, verdict: explained.verdict.ok ? unavailable : explained.verdict, unavailable }
}

/** What is kept in memory for a call that waits. */
function charsOf({ token, access }: VerifyParams): number {
  return token.length + JSON.stringify(access ?? null).length
}

function withoutState({ minPosition: _, minimum: __, ...asked }: VerifyParams): VerifyParams {
  return asked
}

function notReached(): Refused {
  return refused('unavailable', 'this replica has not reached the wanted state yet')
}

/** How old a state may be that would decide, where that is all that a verdict lacks. */
function stalenessWanted(verdict: Verdict): number | undefined {
  return verdict.ok ? undefined : verdict.stalenessWantedMs
}

/** S4: a key of a token that is younger than our state may just not have arrived. The claim is unauthenticated: it only delays. */
function laterThanUs({ issuedAtMs = 0 }: Refused, appliedMs: number): Refused | undefined {
  if (issuedAtMs <= appliedMs) return undefined
  return refused('unavailable', 'the token is newer than what this replica has applied')
}
