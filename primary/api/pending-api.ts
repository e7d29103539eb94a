/**
 * The operator's calls on pending denials: revocations of an undone history that replicas enforce and the primary does not
 * have. An operator lists them, and adopts or forgets them.
 */
import type { KnownPeer } from '../../shared/channel/peers.ts'
import type { Forgotten } from '../../shared/database/forgotten.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { timeline as asTimeline, tokenId, type Kid, type Nonce } from '../../shared/ids.ts'
import { DENIALS_CALL_MAX, LIST_CHARS_MAX, REASON_CHARS_MAX } from '../../shared/limits.ts'
import { positionText } from '../../shared/position.ts'
import { params } from '../../shared/protocol/params.ts'
import {
  adoptParams,
  type AdoptResult,
  forgetParams,
  type ForgetResult,
  pendingParams,
  type PendingResult,
  type PendingRevocation,
  type PendingSelection,
} from '../../shared/protocol/pending.ts'
import type { KnownRevocation } from '../../shared/verifier/revocation-row.ts'
import { type Adoption, RESTORE, type PendingDenial } from '../adoption/adoption.ts'
import type { Adopted, ForgottenAnswer } from '../authority/commands.ts'
import type { GroupWriter } from '../commit-log/group-writer.ts'
import type { Durability } from '../durability/durability.ts'
import { requireSettled } from './require-settled.ts'
import { actorOf, requireOperator } from './permissions.ts'

export interface PendingApiOptions {
  readonly writer: GroupWriter
  readonly adoption: Pick<Adoption, 'waiting' | 'counts' | 'reassess'>
  readonly durability: Durability
  readonly replicas: () => readonly KnownPeer[]
}

export class PendingApi {
  readonly #options: PendingApiOptions

  constructor(options: PendingApiOptions) {
    this.#options = options
  }

  /** Lists pending denials, bounded in number and in characters. Throws permission_denied. */
  list(peer: KnownPeer, value: unknown): PendingResult {
    requireOperator(peer, 'list pending revocations')
    const { limit } = params(pendingParams, value)
    const { adoption } = this.#options
    adoption.reassess()
    const revocations: PendingRevocation[] = []
    let chars = 0
    for (const one of adoption.waiting.slice(0, limit)) {
      const described = this.#describe(one)
      chars += JSON.stringify(described).length
      if (chars > LIST_CHARS_MAX) break
      revocations.push(described)
    }
    return { revocations, waiting: this.#waitingCount }
  }

  /**
   * Adopts at most `DENIALS_CALL_MAX` of the selected denials, and waits until they are durable. `waiting` in the answer is
   * the number of denials that still wait. Throws permission_denied, request_invalid, epoch_unsettled, position_unreached.
   */
  async adopt(peer: KnownPeer, value: unknown): Promise<AdoptResult> {
    requireOperator(peer, 'adopt revocations')
    const { writer, durability } = this.#options
    // Those that nobody can adopt come last. Otherwise 500 of them would keep every later one waiting.
    const chosen = this.#chosen(params(adoptParams, value)).toSorted(
      (a, b) => this.#adoptableFrom(a) - this.#adoptableFrom(b),
    )
    const denials = chosen.slice(0, DENIALS_CALL_MAX).map(({ denial }) => denial)
    const command = { kind: 'revocations.adopt', actor: actorOf(peer), denials, from: undefined } as const
    const { answer, position } = await writer.submit<Adopted>(command)
    requireSettled(writer.state, answer.seq)
    const reached = await durability.reach(answer.seq, position)
    this.#options.adoption.reassess()
    return { ...answer, ...reached, position: positionText(position), waiting: this.#waitingCount }
  }

  /**
   * Forgets the selected numbers. Tokens that no other row revokes become good again. Throws permission_denied,
   * request_invalid, epoch_unsettled.
   */
  async forget(peer: KnownPeer, value: unknown): Promise<ForgetResult> {
    requireOperator(peer, 'forget revocations')
    const { reason, ...selection } = params(forgetParams, value)
    const ranges = this.#ranges(selection)
    const command = { kind: 'revocations.forget', actor: actorOf(peer), ranges, reason } as const
    const { position } = await this.#options.writer.submit<ForgottenAnswer>(command)
    this.#options.adoption.reassess()
    const forgotten = ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0)
    return { forgotten, position: positionText(position), waiting: this.#waitingCount }
  }

  /**
   * The time from which an operator may adopt it, unix milliseconds: 0 for now, the greatest number for a kind that this
   * version does not know. A cut-off later than the issue clock may be adopted once its time has come.
   */
  #adoptableFrom({ row }: PendingDenial): number {
    if (row === undefined) return Number.MAX_SAFE_INTEGER
    return 'untilMs' in row && row.untilMs > this.#options.writer.state.issue.lastMs ? row.untilMs : 0
  }

  /** Number of denials that wait, including the ones that replicas have counted and not listed yet. */
  get #waitingCount(): number {
    const { waiting, counts } = this.#options.adoption
    // A denial that is not listed yet is counted once for each replica that reports it, because it cannot be compared.
    const listed = waiting.reduce((sum, { from }) => sum + from.length, 0)
    const all = [...counts.values()].reduce((sum, count) => sum + count, 0)
    return waiting.length + Math.max(0, all - listed)
  }

  /** The pending denials of a selection. Throws request_invalid if there are none. */
  #chosen(
    { timeline, first = 1, last = Infinity }: PendingSelection,
    exceptTimeline?: string,
  ): readonly PendingDenial[] {
    this.#options.adoption.reassess()
    const chosen = this.#options.adoption.waiting.filter(
      ({ denial }) =>
        (timeline === undefined ? denial.timeline !== exceptTimeline : denial.timeline === timeline) &&
        denial.seq >= first &&
        denial.seq <= last,
    )
    if (chosen.length > 0) return chosen
    throw new MacaroondError('request_invalid', 'no pending revocation matches', {
      hint: '`macaroond revocations pending` lists the pending revocations',
    })
  }

  /**
   * If the operator names numbers, these are the range. Otherwise the ranges hold only numbers of pending denials, and none
   * between them: a disconnected replica may have a denial with such a number, which the operator has not seen.
   */
  #ranges({ timeline, first, last }: PendingSelection): readonly Forgotten[] {
    if (timeline !== undefined && first !== undefined)
      return [{ timeline: asTimeline(timeline), first, last: last ?? first }]
    const ranges: { timeline: string; first: number; last: number }[] = []
    // Denials of the present history are left out: it is not undone, whatever a replica reports.
    const presentTimeline = timeline === undefined ? this.#options.writer.state.timeline : undefined
    for (const { denial } of this.#chosen({ timeline, first, last }, presentTimeline).slice(0, DENIALS_CALL_MAX)) {
      const range = ranges.at(-1)
      if (range?.timeline === denial.timeline && range.last >= denial.seq - 1) range.last = denial.seq
      else ranges.push({ timeline: denial.timeline, first: denial.seq, last: denial.seq })
    }
    return ranges
  }

  #describe({ denial, row, why, from }: PendingDenial): PendingRevocation {
    const { timeline, epoch, seq, columns } = denial
    const names = new Map<string, string>(this.#options.replicas().map(({ id, name }) => [id, name]))
    const replicas = from.map((one) => (one === RESTORE ? RESTORE : (names.get(one) ?? one))).toSorted()
    const { at_ms: atMs, actor, reason } = columns
    return {
      ...(row === undefined ? {} : describeRow(row, this.#orgOf(row))),
      timeline,
      epoch,
      seq,
      why,
      replicas,
      ...(typeof atMs === 'number' && atMs > 0 ? { atMs } : {}),
      ...(typeof actor === 'string' ? { actor: actor.slice(0, REASON_CHARS_MAX) } : {}),
      ...(typeof reason === 'string' ? { reason: reason.slice(0, REASON_CHARS_MAX) } : {}),
    }
  }

  #orgOf(row: KnownRevocation): string {
    return row.kind === 'token' ? (this.#options.writer.state.keys.get(row.kid as Kid)?.org ?? '') : row.org
  }
}

function describeRow(row: KnownRevocation, org: string): Partial<PendingRevocation> {
  const { kind, expiresAt } = row
  const common = { kind, org, expiresAt }
  switch (row.kind) {
    case 'token':
      return { ...common, id: tokenId(row.kid as Kid, row.nonce as Nonce) }
    case 'subject':
      return { ...common, subject: row.subject, untilMs: row.untilMs }
    case 'org':
      return { ...common, untilMs: row.untilMs }
    case 'key':
      return { ...common, kid: row.kid }
    case 'org_disabled':
      return common
  }
}
